import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const maxSkewMs = 15 * 60 * 1000;

/**
 * Checks an AWS Signature Version 4 in the Authorization header, as S3 does it: key, date within 15 minutes of the server's
 * clock, the signature itself, and the digest of the body where one was signed. Undefined: all is well.
 */
export function checkSignature(
  request: IncomingMessage,
  body: Buffer,
  credentials: Credentials,
  nowMs: number,
): Refusal | undefined {
  const header = request.headers.authorization ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=(.+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) return { status: 403, code: 'AccessDenied', message: 'There is no signature of the kind this server knows.' };
  const [, accessKey = '', day = '', region = '', signedHeaders = '', signature = ''] = match;
  if (accessKey !== credentials.accessKey)
    return { status: 403, code: 'InvalidAccessKeyId', message: 'Nobody has this access key.' };

  const date = text(request.headers['x-amz-date']);
  const sentMs = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(sentMs - nowMs) <= maxSkewMs))
    return { status: 403, code: 'RequestTimeTooSkewed', message: 'The clocks differ too much.' };

  const payload = text(request.headers['x-amz-content-sha256']);
  if (/^STREAMING-/.test(payload)) return { status: 501, code: 'NotImplemented', message: 'Chunked signing is not known here.' };
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) {
    return { status: 400, code: 'XAmzContentSHA256Mismatch', message: 'The body is not the one that was signed.' };
  }

  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  const canonical = [
    request.method,
    path,
    canonicalQuery(query),
    ...signedHeaders.split(';').map((name) => `${name}:${text(request.headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders,
    payload,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(Buffer.from(canonical))].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(
    (from, part) => hmac(from, part),
    Buffer.from(`AWS4${credentials.secretKey}`),
  );
  const fine = timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'));
  return fine
    ? undefined
    : { status: 403, code: 'SignatureDoesNotMatch', message: 'The signature is not that of this secret key.' };
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => {
    const at = pair.indexOf('=');
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
  });
  return pairs.sort().join('&');
}

function encode(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function text(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(',') : (header ?? '');
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
