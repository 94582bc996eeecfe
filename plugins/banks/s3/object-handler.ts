import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Connection } from './connection.ts';
import type { ResponseHead } from './response-head.ts';

type Handler = S3Client['config']['requestHandler'];

/** A signed request, as the SDK hands it to its handler. */
interface Request {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly username?: string;
  readonly fragment?: string;
}

const maxConnections = 64;
// So many answers in a row that are not understood, and this bank is left to the SDK's handler for good.
const maxMisses = 8;

/**
 * Carries the GETs of objects, signed by the SDK, over connections that read a body straight into one buffer. All other requests,
 * and all answers that are not plainly understood, are for the SDK's own handler; the second sends a GET twice, which does no harm.
 */
export function createObjectHandler(sdk: Handler, timeoutMs: number): Handler {
  const open = new Set<Connection>();
  const idle: Connection[] = [];
  let misses = 0;

  const connect = (origin: string): Connection => {
    const connection = new Connection(origin, timeoutMs, () => {
      open.delete(connection);
      if (idle.includes(connection)) idle.splice(idle.indexOf(connection), 1);
    });
    open.add(connection);
    return connection;
  };

  const takeIdle = (origin: string): Connection | undefined => {
    // The one used last is the least likely to have been closed by the bank.
    const place = idle.findLastIndex((connection) => connection.origin === origin);
    return place < 0 ? undefined : idle.splice(place, 1)[0];
  };

  const exchange = async (origin: string, text: string, signal: AbortSignal): Promise<Exchange> => {
    const connection = takeIdle(origin) ?? connect(origin);
    const abort = (): void => connection.destroy(abortError());
    signal.addEventListener('abort', abort, { once: true });
    let head: ResponseHead | undefined;
    const end = (complete: boolean): void => {
      signal.removeEventListener('abort', abort);
      if (complete && head?.keepAlive) idle.push(connection);
      else connection.destroy(abortError());
    };
    try {
      head = await connection.request(text);
      return { connection, head, end };
    } finally {
      if (!head) end(false);
    }
  };

  const handle = async (request: Request, options: { readonly abortSignal?: unknown } = {}) => {
    const text = writeRequest(request);
    const signal = options.abortSignal;
    const fits = text !== undefined && signal instanceof AbortSignal && !signal.aborted && misses < maxMisses;
    if (!fits || (idle.length === 0 && open.size >= maxConnections)) return sdk.handle(request, options);
    const { connection, head, end } = await exchange(originOf(request), text, signal);
    misses = head ? 0 : misses + 1;
    if (!head) return sdk.handle(request, options);
    const { status: statusCode, headers, bodyBytes } = head;
    return { response: { statusCode, headers, body: createBody(connection, bodyBytes, end) } };
  };

  const destroy = (): void => {
    for (const connection of open) connection.destroy(abortError());
    sdk.destroy?.();
  };
  return { ...(sdk.metadata && { metadata: sdk.metadata }), handle, destroy };
}

interface Exchange {
  readonly connection: Connection;
  readonly head: ResponseHead | undefined;
  /** Call it when the answer is read, or will not be. */
  end(complete: boolean): void;
}

/** The body as the SDK wants it; it gives all bytes in one piece, and takes room for them only when somebody reads. */
function createBody(connection: Connection, sizeBytes: number, end: Exchange['end']): Readable {
  let complete = false;
  return new Readable({
    read() {
      connection.readBody(sizeBytes).then(
        (bytes) => {
          complete = true;
          end(true);
          if (sizeBytes > 0) this.push(bytes);
          this.push(null);
        },
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      if (!complete) end(false);
      done(error);
    },
  });
}

/** Undefined: no GET of an object as the SDK sends them. */
function writeRequest({ method, path, query, headers, body, username, fragment }: Request): string | undefined {
  const isPlain = method === 'GET' && body === undefined && username === undefined && fragment === undefined;
  if (!isPlain || query['x-id'] !== 'GetObject' || Object.keys(query).length !== 1) return undefined;
  const lines = [`GET ${path}?x-id=GetObject HTTP/1.1`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  const isClean = /^[\x21-\x7e]+$/.test(path) && lines.every((line) => /^[\t\x20-\x7e]+$/.test(line));
  return isClean ? `${lines.join('\r\n')}\r\n\r\n` : undefined;
}

function originOf({ protocol, hostname, port }: Request): string {
  return new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`).origin;
}

function abortError(): Error {
  return Object.assign(new Error('The request was aborted.'), { name: 'AbortError' });
}
