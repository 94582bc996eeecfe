import { createHash } from 'node:crypto';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { isFault, storeFault, throwIfAborted } from 'karri/plugin';
import { createConnection, type SeenClock } from './client.ts';
import type { S3Config } from './config.ts';
import type { Credentials } from './credentials.ts';
import { readError, s3Fault } from './faults.ts';

// A link slower than this is as good as none: a pack of 16 MiB may take four minutes.
const minBytesPerMs = 64;

export interface Attempt {
  readonly abortSignal: AbortSignal;
  /** Prolongs the time-out of the call for so many bytes to send or receive. */
  allow(bytes: number): void;
}

/** One bucket as the store, the trials and the probe call it: every call ends in time and every trouble is a fault. */
export interface Bucket {
  readonly client: S3Client;
  readonly name: string;
  readonly region: string;
  readonly clock: SeenClock;
  readonly signsPayload: boolean;
  /** Empty, or ends in a slash. */
  readonly prefix: string;
  readonly description: string;
  send<T>(key: string | undefined, call: (attempt: Attempt) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** `key` is the full key. @throws {Fault} `storage.exists` with `ifAbsent` where the store honours it */
  put(
    key: string,
    body: Buffer,
    options: { readonly ifAbsent: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
}

export function createBucket(config: S3Config, credentials: Credentials): Bucket {
  const timeoutMs = (config.timeout_seconds ?? 60) * 1000;
  const { client, clock, signsPayload } = createConnection(config, credentials, timeoutMs);
  const name = config.bucket;
  const region = config.region ?? 'us-east-1';
  const prefix = config.prefix ? `${config.prefix}/` : '';
  const description = `s3://${name}/${prefix} at ${config.endpoint ?? `AWS ${region}`}`;
  // Buckets with a default retention want a digest on every put; learned from their first refusal.
  let wantsDigest = false;

  const send: Bucket['send'] = async (key, call, signal) => {
    for (let first = true; ; first = false) {
      throwIfAborted(signal);
      const deadline = createDeadline(timeoutMs);
      try {
        return await call({
          abortSignal: AbortSignal.any(signal ? [deadline.signal, signal] : [deadline.signal]),
          allow: deadline.allow,
        });
      } catch (error) {
        // The SDK has just learned the bank's clock and signs by it from now on. A refusal did nothing, so this is no retry
        // that could meet its own first try.
        const seen = readError(error);
        if (first && seen.name === 'RequestTimeTooSkewed' && seen.clockCorrected) continue;
        throw isFault(error) ? error : s3Fault(error, { where: description, bucket: name, region, key, clock }, signal);
      } finally {
        deadline.stop();
      }
    }
  };

  const putOnce = (key: string, body: Buffer, options: { ifAbsent: boolean; signal?: AbortSignal | undefined }): Promise<void> =>
    send(
      key,
      async ({ abortSignal, allow }) => {
        allow(body.length);
        const answer = await client.send(
          new PutObjectCommand({
            Bucket: name,
            Key: key,
            Body: body,
            ContentLength: body.length,
            ...(options.ifAbsent ? { IfNoneMatch: '*' } : {}),
            ...(wantsDigest ? { ContentMD5: createHash('md5').update(body).digest('base64') } : {}),
          }),
          { abortSignal },
        );
        if (answer.ETag === undefined) throw strangeAnswer(key, description, 'a put was answered 200 without an ETag');
      },
      options.signal,
    );

  const put: Bucket['put'] = async (key, body, options) => {
    try {
      await putOnce(key, body, options);
    } catch (error) {
      const asksForDigest = isFault(error) && error.details.status === 400 && /Content-MD5/i.test(error.message);
      if (wantsDigest || !asksForDigest) throw error;
      wantsDigest = true;
      await putOnce(key, body, options);
    }
  };

  return { client, name, region, clock, signsPayload, prefix, description, send, put };
}

/** Answers that no S3 server gives when all is well: a proxy's page, an error document under status 200, a page twice. */
export function strangeAnswer(key: string, where: string, seen: string): Error {
  return storeFault('storage.failed', `${where} gave an answer that cannot be right at ${key}: ${seen}.`, {
    details: { key },
    retry: 'later',
    help: 'If it stays so, look for a proxy between Karri and the bank.',
  });
}

function createDeadline(timeoutMs: number): { signal: AbortSignal; allow(bytes: number): void; stop(): void } {
  const controller = new AbortController();
  const start = (ms: number): NodeJS.Timeout => setTimeout(() => controller.abort(), ms);
  let timer = start(timeoutMs);
  const stop = (): void => clearTimeout(timer);
  const allow = (bytes: number): void => {
    stop();
    timer = start(timeoutMs + bytes / minBytesPerMs);
  };
  return { signal: controller.signal, allow, stop };
}
