import { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { type GetOptions, shortFault, tooLargeFault } from 'karri/plugin';
import { type Attempt, type Bucket, strangeAnswer } from './bucket.ts';

/** Reads the answer of a GET into one buffer, after having looked whether it is what was asked for. */
export async function readBody(
  bucket: Bucket,
  key: string,
  answer: GetObjectCommandOutput,
  options: GetOptions,
  allow: Attempt['allow'],
): Promise<Buffer> {
  const { Body: stream, ContentLength: length } = answer;
  if (!(stream instanceof Readable)) throw strangeAnswer(key, bucket.description, 'there is no body');
  try {
    if (length === undefined || answer.ETag === undefined)
      throw strangeAnswer(key, bucket.description, 'it has no length or no ETag');
    if (options.range) checkRange(bucket, key, answer, length, options.range);
    else if (length > (options.maxBytes ?? Number.POSITIVE_INFINITY))
      throw tooLargeFault(bucket.description, key, length, options.maxBytes ?? 0);
    allow(length);
    let whole: Buffer | undefined;
    let done = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      // The object handler gives a body in one piece, in a buffer that nobody else has.
      if (chunk.length === length && done === 0) whole = chunk;
      else {
        whole ??= Buffer.allocUnsafeSlow(length);
        chunk.copy(whole, done);
      }
      done += chunk.length;
    }
    if (done !== length) throw strangeAnswer(key, bucket.description, `${done} bytes came of ${length}`);
    return whole ?? Buffer.allocUnsafeSlow(0);
  } finally {
    stream.destroy();
  }
}

function checkRange(
  bucket: Bucket,
  key: string,
  answer: GetObjectCommandOutput,
  length: number,
  range: { offset: number; length: number },
): void {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? '');
  if (!match || Number(match[1]) !== range.offset)
    throw strangeAnswer(key, bucket.description, 'the range asked for was ignored');
  if (length === range.length) return;
  const left = Number(match[2]) - range.offset;
  if (left < range.length) throw shortFault(bucket.description, key, range.length, left);
  throw strangeAnswer(key, bucket.description, `${length} bytes were given where ${range.length} were asked for and are there`);
}
