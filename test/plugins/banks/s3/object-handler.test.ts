import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createObjectHandler } from '../../../../plugins/banks/s3/object-handler.ts';
import { openTestS3 } from '../../../kit/banks.ts';
import { startS3Server } from '../../../kit/s3-server.ts';
import { createSeeded } from '../../../kit/seeded.ts';
import { tlsIdentity } from '../../../kit/tls-identity.ts';

/** What the server does with a request; it may answer in pieces, or never. */
type Answer = (socket: Socket, request: string) => void;

let answer: Answer = () => undefined;
let connections = 0;
let bySdk = 0;
const requests: string[] = [];
const server: Server = createServer((socket) => {
  connections++;
  let waiting = '';
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    waiting += bytes.toString('latin1');
    for (let end = waiting.indexOf('\r\n\r\n'); end >= 0; end = waiting.indexOf('\r\n\r\n')) {
      const request = waiting.slice(0, end);
      waiting = waiting.slice(end + 4);
      requests.push(request);
      answer(socket, request);
    }
  });
});
let port = 0;

const sdk = {
  handle: async () => {
    bySdk++;
    return { response: { statusCode: 200, headers: {}, body: Readable.from([Buffer.from('by the SDK')]) } };
  },
};
let handler = createObjectHandler(sdk, 300);

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address ? address.port : 0;
});
beforeEach(() => {
  handler.destroy?.();
  handler = createObjectHandler(sdk, 300);
  [connections, bySdk, requests.length] = [0, 0, 0];
});
afterAll(() => {
  handler.destroy?.();
  server.close();
});

async function get(options: { path?: string; method?: string; signal?: AbortSignal; headers?: Record<string, string> } = {}) {
  const { path = '/bank/key', method = 'GET', signal = new AbortController().signal, headers = {} } = options;
  const request = { method, protocol: 'http:', hostname: '127.0.0.1', port, path, query: { 'x-id': 'GetObject' }, headers };
  const { response } = (await handler.handle(request, { abortSignal: signal })) as Awaited<ReturnType<typeof sdk.handle>>;
  const chunks: Buffer[] = [];
  for await (const chunk of response.body as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, chunks, text: Buffer.concat(chunks).toString() };
}

const head = (bytes: number, more = ''): string => `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\nETag: "x"\r\n${more}\r\n`;
const hello: Answer = (socket) => void socket.write(`${head(5)}hello`);

describe('a GET of an object', () => {
  test('is sent as it was signed, and answered in one piece', async () => {
    answer = hello;
    const seen = await get({ headers: { host: 'bank:1', authorization: 'AWS4 x' } });
    expect(requests).toEqual(['GET /bank/key?x-id=GetObject HTTP/1.1\r\nhost: bank:1\r\nauthorization: AWS4 x']);
    expect([seen.status, seen.text, seen.headers, bySdk]).toEqual([200, 'hello', { 'content-length': '5', etag: '"x"' }, 0]);
  });

  test('comes whole wherever its bytes are cut', async () => {
    const bytes = `${head(5)}hello`;
    for (let cut = 1; cut < bytes.length; cut++) {
      answer = (socket) => {
        socket.setNoDelay().write(bytes.slice(0, cut));
        setImmediate(() => setImmediate(() => socket.write(bytes.slice(cut))));
      };
      expect((await get()).text).toBe('hello');
    }
    expect(connections).toBe(1);
  });

  test('of 3 MiB is the same bytes in one buffer, time after time on one connection', async () => {
    const bytes = createSeeded('object handler').bytes(3 * 1024 * 1024 + 17);
    answer = (socket) => {
      socket.write(head(bytes.length));
      for (let at = 0; at < bytes.length; at += 70_000) socket.write(bytes.subarray(at, at + 70_000));
    };
    for (let round = 0; round < 3; round++) {
      const { chunks } = await get();
      expect([chunks.length, chunks[0]?.equals(bytes), chunks[0]?.buffer.byteLength]).toEqual([1, true, bytes.length]);
    }
    expect(connections).toBe(1);
  });

  test('of nothing is nothing', async () => {
    answer = (socket) => void socket.write(head(0));
    expect((await get()).chunks).toEqual([]);
    expect((await get()).text).toBe('');
    expect(connections).toBe(1);
  });

  test('that is refused brings the reason', async () => {
    answer = (socket) => void socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!');
    expect(await get()).toMatchObject({ status: 403, text: 'no!' });
  });

  test('takes a connection each when there are several at once, and keeps them', async () => {
    answer = hello;
    await Promise.all([get(), get(), get()]);
    await Promise.all([get(), get(), get()]);
    expect(connections).toBe(3);
  });

  test('goes over a new connection when the last one was closed, or is to be', async () => {
    answer = (socket) => void socket.write(`${head(5, 'Connection: close\r\n')}hello`);
    await get();
    await get();
    expect(connections).toBe(2);
    let last: Socket | undefined;
    answer = (socket) => {
      last = socket;
      socket.write(`${head(5)}hello`);
    };
    await get();
    const closed = once(last!, 'close');
    last?.end();
    await closed;
    expect((await get()).text).toBe('hello');
    expect(connections).toBe(4);
  });
});

describe('what is not plainly understood is left to the SDK', () => {
  test.each<[string, Answer]>([
    ['chunks', (socket) => void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')],
    ['a redirect', (socket) => void socket.write('HTTP/1.1 301 Elsewhere\r\nContent-Length: 0\r\n\r\n')],
    ['100 Continue', (socket) => void socket.write(`HTTP/1.1 100 Continue\r\n\r\n${head(5)}hello`)],
    ['no HTTP at all', (socket) => void socket.write('SSH-2.0-OpenSSH\r\n\r\n')],
    ['a head without end', (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(4000)}`)],
  ])('%s', async (_, unclear) => {
    answer = unclear;
    expect((await get()).text).toBe('by the SDK');
    answer = hello;
    expect((await get()).text).toBe('hello');
    expect([connections, bySdk]).toEqual([2, 1]);
  });

  test('and a bank that gives nothing else is no longer asked twice', async () => {
    answer = (socket) => void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
    for (let round = 0; round < 12; round++) await get();
    expect([requests.length, bySdk]).toEqual([8, 12]);
  });

  test('other methods, paths that are no paths, headers with line ends', async () => {
    answer = hello;
    await get({ method: 'HEAD' });
    await get({ path: '/bank/a b' });
    await get({ headers: { range: 'bytes=0-1\r\nx: y' } });
    expect([requests.length, bySdk]).toEqual([0, 3]);
  });
});

describe('trouble', () => {
  test('a connection that ends in the head, in the body, or at once is an error that says so', async () => {
    for (const bytes of ['', 'HTTP/1.1 200', head(5), `${head(5)}hel`]) {
      answer = (socket) => socket.end(bytes);
      await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' });
    }
    expect(bySdk).toBe(0);
  });

  test('bytes beyond the body, or that nobody asked for, end the connection', async () => {
    answer = (socket) => void socket.write(`${head(5)}hello, and more`);
    await expect(get()).rejects.toThrow('more bytes than it had announced');
    let last: Socket | undefined;
    answer = (socket) => {
      last = socket;
      socket.write(`${head(5)}hello`);
    };
    await get();
    const closed = once(last!, 'close');
    last?.write(`${head(5)}other`);
    await closed;
    expect((await get()).text).toBe('hello');
  });

  test('silence ends in the time-out, before the head and within the body', async () => {
    answer = () => undefined;
    await expect(get()).rejects.toMatchObject({ name: 'TimeoutError' });
    answer = (socket) => void socket.write(`${head(5)}he`);
    await expect(get()).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('an abort ends it at once, before the head and within the body', async () => {
    for (const bytes of ['', `${head(5)}he`]) {
      const controller = new AbortController();
      answer = (socket) => {
        if (bytes !== '') socket.write(bytes);
        setImmediate(() => setImmediate(() => controller.abort()));
      };
      await expect(get({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
    }
  });

  test('nobody listens', async () => {
    const request = {
      method: 'GET',
      protocol: 'http:',
      hostname: 'localhost',
      port: 1,
      path: '/a',
      query: { 'x-id': 'GetObject' },
    };
    const call = handler.handle({ ...request, headers: {} }, { abortSignal: new AbortController().signal });
    await expect(call).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('over TLS', () => {
  test('objects come whole, and a certificate that nobody vouches for is refused', async () => {
    const bank = await startS3Server({ tls: tlsIdentity });
    await expect(openTestS3(bank)).rejects.toMatchObject({ code: 'storage.unreachable', retry: 'never' });

    setDefaultCACertificates([...getCACertificates('default'), tlsIdentity.cert]);
    const store = await openTestS3(bank);
    const bytes = createSeeded('object handler, TLS').bytes(5 * 1024 * 1024 + 3);
    await store.put('large', bytes);
    for (let round = 0; round < 3; round++) expect((await store.get('large')).equals(bytes)).toBe(true);
    const range = { offset: 1_000_000, length: 300_000 };
    const several = await Promise.all([1, 2, 3].map(() => store.get('large', { range })));
    expect(several.every((part) => part.equals(bytes.subarray(1_000_000, 1_300_000)))).toBe(true);
    await store.put('nothing', Buffer.alloc(0));
    expect((await store.get('nothing')).length).toBe(0);
    await expect(store.get('absent')).rejects.toMatchObject({ code: 'storage.missing' });
    await store.close();
    await bank.close();
  });
});
