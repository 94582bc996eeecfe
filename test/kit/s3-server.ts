import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { ChooseFault, S3Fault, S3Request } from './s3-faults.ts';
import { createFolderObjects, createMemoryObjects, type S3Objects } from './s3-objects.ts';
import { type Credentials, checkSignature } from './s3-signature.ts';
import { errorDocument, listDocument, multiDeleteDocument, parseMultiDelete } from './s3-xml.ts';

export interface S3ServerOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Keep the objects here, over restarts; default in memory. */
  readonly folder?: string;
  readonly credentials?: Credentials;
  /** Serve HTTPS with this key and certificate. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly clock?: Clock;
  /** Without it If-None-Match is answered 501, as Swift does. Default true. */
  readonly conditionalPut?: boolean;
  /** Without it a multi-delete is answered 501. Default true. */
  readonly multiDelete?: boolean;
  readonly chooseFault?: ChooseFault;
}

export interface S3Server {
  readonly endpoint: string;
  readonly credentials: Credentials;
  /** Every request since the start, faults included. */
  readonly requests: readonly S3Request[];
  /** From now on; undefined: no more faults. */
  setFaults(choose: ChooseFault | undefined): void;
  close(): Promise<void>;
}

/**
 * An S3 server in this process, on 127.0.0.1: path style, SigV4 checked, PUT, GET with ranges, HEAD, DELETE, multi-delete,
 * ListObjectsV2 and buckets. Faults can be scripted per request. It keeps nothing back: a PUT that was answered is seen by all.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const credentials = options.credentials ?? { accessKey: 'karri', secretKey: 'karri-secret' };
  const service = new S3Service(options, credentials);
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    service.serve(request, response).catch((error: unknown) => {
      // A client that went away is no trouble of the server; anything else must be seen.
      if (!response.destroyed && !request.destroyed) service.fail(response, 500, 'InternalError', String(error));
    });
  };
  const server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    endpoint: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    credentials,
    requests: service.requests,
    setFaults: (choose) => service.setFaults(choose),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Bucket {
  readonly objects: S3Objects;
  lastWritten: string | undefined;
}

class S3Service {
  readonly requests: S3Request[] = [];
  readonly #options: S3ServerOptions;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  #chooseFault: ChooseFault | undefined;

  constructor(options: S3ServerOptions, credentials: Credentials) {
    this.#options = options;
    this.#credentials = credentials;
    this.#clock = options.clock ?? systemClock;
    this.#chooseFault = options.chooseFault;
  }

  setFaults(choose: ChooseFault | undefined): void {
    this.#chooseFault = choose;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://bank');
    const seen = describe(request, url, this.requests.length + 1);
    this.requests.push(seen);
    const fault = this.#chooseFault?.(seen);
    if (fault?.kind === 'silence') return void request.resume();
    if (fault?.kind === 'reset-mid-body' && seen.operation !== 'get')
      return void request.once('data', () => request.socket.destroy()).resume();
    const body = await readAll(request);
    const refusal = checkSignature(request, body, this.#credentials, this.#clock.now());
    if (refusal) return this.fail(response, refusal.status, refusal.code, refusal.message);
    if (fault?.kind === 'status') return this.fail(response, fault.status, fault.code, 'This was scripted.');
    if (fault?.kind === 'error-in-200')
      return this.#answer(response, 200, errorDocument('InternalError', 'This was scripted.', seen.key));
    if (fault?.kind === 'lost-reply') {
      // The work is done with an answer that goes nowhere.
      response.socket?.destroy();
    }
    this.#dispatch(seen, url.searchParams, body, response, fault);
  }

  fail(response: ServerResponse, status: number, code: string, message: string): void {
    this.#answer(response, status, errorDocument(code, message, ''));
  }

  #dispatch(
    request: S3Request,
    query: URLSearchParams,
    body: Buffer,
    response: ServerResponse,
    fault: S3Fault | undefined,
  ): void {
    const bucket = this.#bucket(request.bucket, request.operation === 'bucket' && request.method === 'PUT');
    if (!bucket) return this.fail(response, 404, 'NoSuchBucket', 'There is no such bucket.');
    switch (request.operation) {
      case 'put':
        return this.#put(bucket, request, body, response);
      case 'get':
      case 'head':
        return this.#get(bucket, request, response, fault);
      case 'delete':
        bucket.objects.remove(request.key);
        return this.#answer(response, 204, '');
      case 'multi-delete':
        return this.#multiDelete(bucket, request, body, response);
      case 'list':
        return this.#list(bucket, query, response, fault);
      case 'bucket':
        return this.#answer(response, 200, '');
      case 'other':
        return this.fail(response, 501, 'NotImplemented', 'This server does not know the call.');
    }
  }

  #bucket(name: string, make: boolean): Bucket | undefined {
    const { folder } = this.#options;
    const known = this.#buckets.get(name);
    const kept = folder !== undefined && name !== '' && existsSync(join(folder, name));
    if (known || !(make || kept)) return known;
    const bucket = {
      objects: folder === undefined ? createMemoryObjects() : createFolderObjects(join(folder, name)),
      lastWritten: undefined,
    };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  #put(bucket: Bucket, { key, headers }: S3Request, body: Buffer, response: ServerResponse): void {
    if (headers['if-none-match'] !== undefined) {
      if (this.#options.conditionalPut === false)
        return this.fail(response, 501, 'NotImplemented', 'Conditional writes are not known here.');
      if (bucket.objects.sizeBytes(key) !== undefined) return this.fail(response, 412, 'PreconditionFailed', 'The key is taken.');
    }
    const digest = headers['content-md5'];
    if (digest !== undefined && digest !== md5(body))
      return this.fail(response, 400, 'BadDigest', 'The body is not that of its Content-MD5.');
    bucket.objects.write(key, body);
    bucket.lastWritten = key;
    this.#answer(response, 200, '', { etag: `"${randomUUID()}"` });
  }

  #get(bucket: Bucket, { key, headers, method }: S3Request, response: ServerResponse, fault: S3Fault | undefined): void {
    const whole = bucket.objects.read(key);
    if (!whole) return this.fail(response, 404, 'NoSuchKey', 'There is no such key.');
    const range = parseRange(String(headers.range ?? ''), whole.length);
    if (range === 'unsatisfiable') return this.fail(response, 416, 'InvalidRange', 'The range begins behind the end.');
    const bytes = range ? whole.subarray(range.from, range.to) : whole;
    const sent = fault?.kind === 'short-body' ? bytes.subarray(0, bytes.length / 2) : bytes;
    this.#head(response, range ? 206 : 200, {
      etag: '"unchanging"',
      'content-type': 'application/octet-stream',
      'content-length': sent.length,
      ...(range ? { 'content-range': `bytes ${range.from}-${range.to - 1}/${whole.length}` } : {}),
    });
    if (method === 'HEAD') return void response.end();
    if (fault?.kind === 'reset-mid-body') return void response.write(sent.subarray(0, sent.length / 2), () => response.destroy());
    if (fault?.kind === 'slow-drip') return drip(response, sent, fault.bytes, fault.everyMs);
    response.end(sent);
  }

  #multiDelete(bucket: Bucket, { headers }: S3Request, body: Buffer, response: ServerResponse): void {
    if (this.#options.multiDelete === false) return this.fail(response, 501, 'NotImplemented', 'Multi-delete is not known here.');
    if (headers['content-md5'] !== md5(body))
      return this.fail(response, 400, 'InvalidRequest', 'A multi-delete needs its Content-MD5.');
    const keys = parseMultiDelete(body.toString());
    for (const key of keys) bucket.objects.remove(key);
    this.#answer(response, 200, multiDeleteDocument(keys));
  }

  #list(bucket: Bucket, query: URLSearchParams, response: ServerResponse, fault: S3Fault | undefined): void {
    const prefix = query.get('prefix') ?? '';
    const after = fault?.kind === 'repeated-page' ? '' : (query.get('continuation-token') ?? query.get('start-after') ?? '');
    const pageSize = Math.min(1000, Number(query.get('max-keys') ?? 1000));
    const hidden = fault?.kind === 'stale-list' ? bucket.lastWritten : undefined;
    const keys = bucket.objects.keys().filter((key) => key.startsWith(prefix) && key > after && key !== hidden);
    const page = keys.slice(0, pageSize).map((key) => ({ key, sizeBytes: bucket.objects.sizeBytes(key) ?? 0 }));
    this.#answer(response, 200, listDocument(prefix, page, keys.length > pageSize));
  }

  #answer(response: ServerResponse, status: number, body: string, headers: Record<string, string | number> = {}): void {
    this.#head(response, status, {
      ...headers,
      'content-length': Buffer.byteLength(body),
      ...(body === '' ? {} : { 'content-type': 'application/xml' }),
    });
    response.end(body);
  }

  #head(response: ServerResponse, status: number, headers: Record<string, string | number>): void {
    response.writeHead(status, { ...headers, date: new Date(this.#clock.now()).toUTCString(), 'x-amz-request-id': randomUUID() });
  }
}

function describe(request: IncomingMessage, url: URL, number: number): S3Request {
  const [bucket = '', ...rest] = url.pathname.slice(1).split('/');
  const key = decodeURIComponent(rest.join('/'));
  const { method = 'GET', headers } = request;
  return { number, method, operation: operationOf(method, key, url.searchParams), bucket, key, headers };
}

function operationOf(method: string, key: string, query: URLSearchParams): S3Request['operation'] {
  if (key === '') {
    if (method === 'GET' && query.get('list-type') === '2') return 'list';
    if (method === 'POST' && query.has('delete')) return 'multi-delete';
    return (method === 'PUT' || method === 'HEAD') && query.size === 0 ? 'bucket' : 'other';
  }
  const plain = [...query.keys()].every((name) => name === 'x-id');
  const byMethod = { PUT: 'put', GET: 'get', HEAD: 'head', DELETE: 'delete' } as const;
  return plain && method in byMethod ? byMethod[method as keyof typeof byMethod] : 'other';
}

function parseRange(header: string, sizeBytes: number): { from: number; to: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header);
  if (!match) return undefined;
  const from = Number(match[1]);
  const to = match[2] ? Math.min(Number(match[2]) + 1, sizeBytes) : sizeBytes;
  return from < sizeBytes && from < to ? { from, to } : 'unsatisfiable';
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function drip(response: ServerResponse, bytes: Buffer, step: number, everyMs: number): void {
  if (bytes.length === 0 || response.destroyed) return void response.end();
  response.write(bytes.subarray(0, step));
  setTimeout(() => drip(response, bytes.subarray(step), step, everyMs), everyMs);
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('base64');
}

// Started as a program: prints one line of JSON with the endpoint, and ends with SIGTERM.
if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      folder: { type: 'string' },
      'access-key': { type: 'string' },
      'secret-key': { type: 'string' },
    },
  });
  const server = await startS3Server({
    port: Number(values.port ?? 0),
    ...(values.folder === undefined ? {} : { folder: values.folder }),
    credentials: { accessKey: values['access-key'] ?? 'karri', secretKey: values['secret-key'] ?? 'karri-secret' },
  });
  process.stdout.write(`${JSON.stringify({ endpoint: server.endpoint })}\n`);
  process.once('SIGTERM', () => void server.close());
}
