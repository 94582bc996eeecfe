import { existsFault, type Fault, isoTime, missingFault, storeFault, throwIfAborted } from 'karri/plugin';
import type { SeenClock } from './client.ts';

/** What is known of a failed call besides the error. */
export interface FailedCall {
  readonly where: string;
  readonly bucket: string;
  readonly region: string;
  readonly key: string | undefined;
  readonly clock: SeenClock;
}

/** What the parts of an SDK error, or of a network error, are called. */
export interface S3Error {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly errno: string | undefined;
  readonly clockCorrected: boolean;
  /** The region the bucket is in, where the answer tells it. */
  readonly region: string | undefined;
}

export function readError(error: unknown): S3Error {
  const thing = record(error);
  const metadata = record(thing.$metadata);
  const headers = record(record(thing.$response).headers);
  return {
    name: text(thing.Code) ?? text(thing.name) ?? 'Error',
    message: text(thing.message) ?? String(error),
    status: typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined,
    errno: text(thing.code),
    clockCorrected: metadata.clockSkewCorrected === true,
    region: text(thing.Region) ?? text(headers['x-amz-bucket-region']),
  };
}

/** Every trouble of a call as the fault that says what to do. Throws instead when the caller's own signal ended it. */
export function s3Fault(error: unknown, call: FailedCall, signal: AbortSignal | undefined): Fault {
  throwIfAborted(signal);
  const seen = readError(error);
  const { name, status } = seen;
  const what = call.key === undefined ? `the bucket ${call.bucket}` : `${call.key} in the bucket ${call.bucket}`;
  const details = { bucket: call.bucket, key: call.key ?? null, s3_code: name, status: status ?? null };
  const options = { details, cause: error };

  if (status === undefined) return connectionFault(seen, call, what, options);
  if (name === 'NoSuchBucket' || (status === 404 && call.key === undefined)) {
    return storeFault('storage.no_bank', `There is no bucket ${call.bucket} at ${call.where}.`, {
      ...options,
      help: 'Make the bucket, correct bank.config.bucket, or set create_bucket: true.',
    });
  }
  if (status === 404) return missingFault(call.where, call.key ?? '', error);
  if (status === 412) return existsFault(call.where, call.key ?? '', error);
  if (/^(QuotaExceeded|InsufficientStorage|XMinioStorageFull|EntityTooLarge)$/.test(name) || status === 507) {
    return storeFault('storage.full', `The bank has no room for ${what} (${name}).`, {
      ...options,
      help: 'Raise the quota or the size limit of the bucket.',
    });
  }
  if (name === 'RequestTimeTooSkewed') {
    const { bankMs, oursMs } = call.clock;
    const clocks =
      bankMs === undefined || oursMs === undefined ? '' : ` Its clock says ${isoTime(bankMs)}, ours ${isoTime(oursMs)}.`;
    return storeFault('storage.refused', `The bank refuses ${what}: the clocks differ too much.${clocks}`, {
      ...options,
      help: 'Set the clock of this host or of the bank (NTP).',
    });
  }
  if (status === 301 || status === 307 || name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed') {
    const there = seen.region === undefined ? '' : ` It is in ${seen.region}.`;
    return storeFault('storage.refused', `The bucket ${call.bucket} is not in the region ${call.region}.${there}`, {
      ...options,
      help: `Set bank.config.region${seen.region === undefined ? '' : ` to ${seen.region}`}, and the endpoint of that region.`,
    });
  }
  if (status === 401 || status === 403) return refusedFault(seen, what, options);
  // The SDK calls an error document under status 200 a 503; that is no request to slow down.
  if (
    status === 429 ||
    (status === 503 && name !== 'InternalError') ||
    /^(SlowDown|TooManyRequests|RequestLimitExceeded|Throttling)/.test(name)
  ) {
    return storeFault('storage.throttled', `The bank asks to slow down (${status} ${name}) at ${what}.`, options);
  }
  if (name === 'RequestTimeout')
    return storeFault('storage.unreachable', `The bank waited too long for the bytes of ${what}.`, options);
  // 409: another conditional put of the key is under way; the next try finds it taken, or wins.
  const again = status >= 500 || status === 409 || status < 300;
  return storeFault('storage.failed', `The bank answered ${status} ${name} at ${what}: ${seen.message}`, {
    ...options,
    retry: again && status !== 501 ? 'later' : 'never',
  });
}

type Options = { readonly details: Record<string, string | number | null>; readonly cause: unknown };

function connectionFault(seen: S3Error, call: FailedCall, what: string, options: Options): Fault {
  const errno = seen.errno ?? seen.name;
  // Certificates do not mend themselves.
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(errno);
  const reason = seen.name === 'TimeoutError' || seen.name === 'AbortError' ? 'nothing came for too long' : errno;
  return storeFault('storage.unreachable', `The connection to ${call.where} failed at ${what} (${reason}).`, {
    ...options,
    ...(certificate ? { retry: 'never' as const } : {}),
    help: certificate
      ? 'Its certificate is not trusted here: start Karri with NODE_EXTRA_CA_CERTS naming the authority, or correct bank.config.endpoint.'
      : 'See whether the endpoint is right and whether the bank runs and can be reached from this host.',
  });
}

function refusedFault(seen: S3Error, what: string, options: Options): Fault {
  const help: Readonly<Record<string, string>> = {
    InvalidAccessKeyId: 'The bank does not know the access key: correct access_key in the credentials file.',
    SignatureDoesNotMatch: 'The secret key is wrong for this access key: correct secret_key in the credentials file.',
    AccessDenied:
      'The key has no right to this: allow it to list the bucket and to get, put and delete objects under the prefix.',
  };
  return storeFault('storage.refused', `The bank refuses ${what} (${seen.status} ${seen.name}).`, {
    ...options,
    help: help[seen.name] ?? 'Look at the keys in the credentials file and at the rights they have on the bucket.',
  });
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
