import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { isFault } from 'karri/plugin';
import type { Bucket } from './bucket.ts';

const body = Buffer.from('Karri puts this with If-None-Match to learn whether the bank honours it.\n');

/**
 * Whether `If-None-Match: *` is honoured: AWS and RadosGW do, Swift answers 501, others ignore it and overwrite. The key
 * stays in the bank (it is no key of ours, so it is never listed): from the second opening on one put tells, and nothing is
 * ever written again where it is honoured. It is asked of every bucket: RadosGW 16 ignores it in one with object lock.
 */
export async function learnConditionalPut(bucket: Bucket): Promise<boolean> {
  const key = `${bucket.prefix}!karri/conditional-put`;
  const known = await isThere(bucket, key);
  const put = async (): Promise<'stored' | 'taken' | 'unsupported'> => {
    try {
      await bucket.put(key, body, { ifAbsent: true });
      return 'stored';
    } catch (error) {
      if (isFault(error, 'storage.exists')) return 'taken';
      const status = isFault(error) ? error.details.status : null;
      // AWS answers 409 to who comes while another conditional put of the key is under way.
      if (status === 409) return 'taken';
      if (status === 501 || status === 400) return 'unsupported';
      // Keys that may only read are fine for a restore, which needs no conditional put.
      if (isFault(error) && error.details.s3_code === 'AccessDenied') return 'unsupported';
      throw error;
    }
  };
  const first = await put();
  if (first !== 'stored' || known) return first === 'taken';
  const later = await Promise.all([put(), put(), put(), put()]);
  return later.every((outcome) => outcome === 'taken');
}

async function isThere(bucket: Bucket, key: string): Promise<boolean> {
  try {
    await bucket.send(key, ({ abortSignal }) =>
      bucket.client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: key }), { abortSignal }),
    );
    return true;
  } catch (error) {
    if (isFault(error, 'storage.missing')) return false;
    throw error;
  }
}
