import { createHash } from 'node:crypto';
import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { type Finding, isFault, toFault } from 'karri/plugin';
import type { Bucket } from './bucket.ts';

/** What only an S3 client can find out about a bank; objects it writes lie below the full key `scratch`. */
export async function probeS3(bucket: Bucket, scratch: string, signal: AbortSignal | undefined): Promise<Finding[]> {
  const probe: Probe = { bucket, scratch, signal };
  return [
    await probeDigest(probe, 'Content-MD5', { ContentMD5: createHash('md5').update('other bytes').digest('base64') }),
    await probeDigest(probe, 'x-amz-checksum-sha256', {
      ChecksumSHA256: createHash('sha256').update('other bytes').digest('base64'),
    }),
    payloadFinding(bucket),
    await probeMultiDelete(probe),
    await probeVersioning(probe),
    await probeObjectLock(probe),
    clockFinding(bucket),
  ];
}

interface Probe {
  readonly bucket: Bucket;
  readonly scratch: string;
  readonly signal: AbortSignal | undefined;
}

async function probeDigest(
  { bucket, scratch, signal }: Probe,
  header: string,
  wrong: Partial<PutObjectCommandInput>,
): Promise<Finding> {
  const key = `${scratch}/digest`;
  const name = `a wrong ${header} is refused`;
  const therefore = 'not relied on: every byte is sealed, and checked when it is read';
  try {
    await bucket.send(
      key,
      ({ abortSignal }) =>
        bucket.client.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, Body: 'bytes', ...wrong }), { abortSignal }),
      signal,
    );
    return { name, outcome: 'no', seen: 'the object was stored', therefore };
  } catch (error) {
    const fault = toFault(error);
    if (fault.kind === 'cancelled') throw fault;
    return { name, outcome: fault.details.status === 400 ? 'yes' : 'unknown', seen: seenOf(error), therefore };
  }
}

function payloadFinding(bucket: Bucket): Finding {
  return {
    name: 'bodies may be sent unsigned',
    outcome: bucket.signsPayload ? 'unknown' : 'yes',
    seen: bucket.signsPayload
      ? 'not tried: plain HTTP beyond this host, or payload_signing: signed'
      : 'taken with UNSIGNED-PAYLOAD',
    therefore: bucket.signsPayload
      ? 'signs a digest of every body (0.6 ms/MiB)'
      : 'sends bodies unsigned, trailers and checksums never',
  };
}

async function probeMultiDelete({ bucket, scratch, signal }: Probe): Promise<Finding> {
  const name = 'many keys are deleted in one call';
  try {
    const answer = await bucket.send(
      scratch,
      ({ abortSignal }) =>
        bucket.client.send(
          new DeleteObjectsCommand({ Bucket: bucket.name, Delete: { Objects: [{ Key: `${scratch}/digest` }] } }),
          {
            abortSignal,
          },
        ),
      signal,
    );
    const fine = answer.Deleted?.length === 1;
    return {
      name,
      outcome: fine ? 'yes' : 'broken',
      seen: fine ? 'with Content-MD5' : 'it did not say what it deleted',
      therefore: 'uses it',
    };
  } catch (error) {
    if (isFault(error) && error.kind === 'cancelled') throw error;
    return { name, outcome: 'no', seen: seenOf(error), therefore: 'deletes one by one, 8 at once' };
  }
}

async function probeVersioning({ bucket, signal }: Probe): Promise<Finding> {
  const name = 'the bucket keeps old versions';
  const ask = new GetBucketVersioningCommand({ Bucket: bucket.name });
  try {
    const { Status } = await bucket.send(undefined, ({ abortSignal }) => bucket.client.send(ask, { abortSignal }), signal);
    if (Status !== 'Enabled') return { name, outcome: 'no', seen: Status ?? 'never switched on', therefore: 'nothing to do' };
    const therefore = 'deletes leave a version behind: give the bucket a lifecycle rule that expires them';
    return { name, outcome: 'yes', seen: 'versioning is enabled', therefore };
  } catch (error) {
    return unanswered(name, error, 'nothing to do');
  }
}

const noLock = 'does not lock: whoever has the keys can delete';

async function probeObjectLock({ bucket, signal }: Probe): Promise<Finding> {
  const name = 'object lock';
  const ask = new GetObjectLockConfigurationCommand({ Bucket: bucket.name });
  try {
    const { ObjectLockConfiguration: lock } = await bucket.send(
      undefined,
      ({ abortSignal }) => bucket.client.send(ask, { abortSignal }),
      signal,
    );
    if (lock?.ObjectLockEnabled !== 'Enabled') return { name, outcome: 'no', seen: 'not switched on', therefore: noLock };
    const rule = lock.Rule?.DefaultRetention;
    const kept = rule
      ? `every object is locked (${rule.Mode}) for ${rule.Days ?? rule.Years} ${rule.Days ? 'days' : 'years'}`
      : 'on, without a default rule';
    return {
      name,
      outcome: 'yes',
      seen: kept,
      therefore: 'works: objects are written once; deleted ones free their room when the lock ends',
    };
  } catch (error) {
    return unanswered(name, error, noLock);
  }
}

function clockFinding({ clock }: Bucket): Finding {
  const name = 'the clock of the bank agrees with ours';
  const therefore = 'no decision hangs on it: signatures follow the clock of the bank';
  if (clock.bankMs === undefined || clock.oursMs === undefined)
    return { name, outcome: 'unknown', seen: 'it sends no Date', therefore };
  const seconds = Math.round((clock.bankMs - clock.oursMs) / 1000);
  // A Date header has whole seconds, and the way here takes time as well.
  const close = Math.abs(seconds) <= 2;
  const seen = close ? 'within 2 s' : `it is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} ours`;
  return { name, outcome: close ? 'yes' : 'no', seen, therefore };
}

function unanswered(name: string, error: unknown, therefore: string): Finding {
  const fault = toFault(error);
  if (fault.kind === 'cancelled') throw fault;
  const { status } = fault.details;
  const clearly = status === 404 || status === 501 || status === 405 || status === 400;
  return { name, outcome: clearly ? 'no' : 'unknown', seen: seenOf(error), therefore };
}

function seenOf(error: unknown): string {
  const { details, message } = toFault(error);
  return details.status === null || details.status === undefined ? message : `${details.status} ${details.s3_code}`;
}
