import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { isFault, toFault } from 'karri/plugin';
import { type Bucket, strangeAnswer } from './bucket.ts';
import { s3Fault } from './faults.ts';

const keysPerCall = 1000;
const singlesAtOnce = 8;

/** Deletes full keys, many per call where the store can; throws the first failure after having tried all. */
export type Deleting = (keys: readonly string[], signal: AbortSignal | undefined) => Promise<void>;

export function createDeleting(bucket: Bucket): Deleting {
  // Learned from the first refusal: some stores have no multi-delete.
  let hasMultiDelete = true;

  return async (keys, signal) => {
    const failures: unknown[] = [];
    for (let from = 0; from < keys.length; from += keysPerCall) {
      const batch = keys.slice(from, from + keysPerCall);
      try {
        if (batch.length > 1 && hasMultiDelete) failures.push(...(await deleteMany(bucket, batch, signal)));
        else failures.push(...(await deleteSingles(bucket, batch, signal)));
      } catch (error) {
        const fault = toFault(error);
        if (fault.kind === 'cancelled') throw fault;
        if (hasMultiDelete && (fault.details.status === 501 || fault.details.status === 405)) {
          hasMultiDelete = false;
          from -= keysPerCall;
        } else failures.push(fault);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
}

async function deleteMany(bucket: Bucket, keys: readonly string[], signal: AbortSignal | undefined): Promise<unknown[]> {
  const what = keys[0] ?? '';
  const answer = await bucket.send(
    what,
    ({ abortSignal }) =>
      bucket.client.send(new DeleteObjectsCommand({ Bucket: bucket.name, Delete: { Objects: keys.map((Key) => ({ Key })) } }), {
        abortSignal,
      }),
    signal,
  );
  const errors = (answer.Errors ?? []).filter((error) => error.Code !== 'NoSuchKey');
  const told = new Set([...(answer.Deleted ?? []), ...(answer.Errors ?? [])].map((entry) => entry.Key));
  const untold = keys.find((key) => !told.has(key));
  if (untold !== undefined) throw strangeAnswer(untold, bucket.description, 'a multi-delete does not say what became of it');
  return errors.map(({ Code = 'InternalError', Message = '', Key = '' }) => {
    const httpStatusCode = statusOfCode[Code] ?? 500;
    const error = Object.assign(new Error(Message), { name: Code, $metadata: { httpStatusCode } });
    return s3Fault(
      error,
      { where: bucket.description, bucket: bucket.name, region: bucket.region, key: Key, clock: bucket.clock },
      signal,
    );
  });
}

// The errors inside a multi-delete have a code but no status of their own.
const statusOfCode: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  SlowDown: 503,
  ServiceUnavailable: 503,
  InvalidRequest: 400,
};

async function deleteSingles(bucket: Bucket, keys: readonly string[], signal: AbortSignal | undefined): Promise<unknown[]> {
  const failures: unknown[] = [];
  const waiting = [...keys];
  const deleteNext = async (): Promise<void> => {
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
      const command = new DeleteObjectCommand({ Bucket: bucket.name, Key: key });
      try {
        await bucket.send(key, ({ abortSignal }) => bucket.client.send(command, { abortSignal }), signal);
      } catch (error) {
        if (!isFault(error, 'storage.missing')) failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: singlesAtOnce }, deleteNext));
  return failures;
}
