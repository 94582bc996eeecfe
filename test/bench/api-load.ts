import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { sleep, systemClock } from '../../src/base/clock.ts';

/** What this program is told, as JSON in its only argument. */
export interface LoadOrder {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly connections: number;
  readonly seconds: number;
}

/** What it prints. */
export interface LoadReport {
  readonly requests: number;
  readonly seconds: number;
  /** Of the whole service: each connection asks again as soon as it has its answer. */
  readonly perSecond: number;
}

/**
 * A load in a process of its own, on bare sockets: it has to cost little beside the service, which shares the machine with it.
 * The first answer that is not 200 ends it.
 */
async function load(order: LoadOrder): Promise<LoadReport> {
  const { hostname, port, pathname, search } = new URL(order.url);
  const body = order.body ?? '';
  const headers = {
    host: `${hostname}:${port}`,
    ...order.headers,
    ...(body && { 'content-length': String(Buffer.byteLength(body)) }),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`${order.method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);

  let requests = 0;
  let over = false;
  const sockets = await Promise.all(
    Array.from({ length: order.connections }, async () => {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      return socket.setNoDelay(true);
    }),
  );
  const began = systemClock.monotonic();
  const askers = sockets.map((socket) =>
    ask(socket, request, () => {
      requests += 1;
      return !over;
    }),
  );
  await Promise.race([sleep(order.seconds * 1000), Promise.all(askers)]);
  const seconds = (systemClock.monotonic() - began) / 1000;
  const counted = requests;
  over = true;
  await Promise.all(askers);
  for (const socket of sockets) socket.destroy();
  return { requests: counted, seconds, perSecond: counted / seconds };
}

/** Sends the request again and again, while `onAnswer` says so. */
function ask(socket: Socket, request: Buffer, onAnswer: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let held: Buffer = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('The service closed a connection.')));
    socket.on('data', (part: Buffer) => {
      held = held.length === 0 ? part : Buffer.concat([held, part]);
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = held.toString('latin1', 0, end);
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      if (length === undefined) return reject(new Error(`An answer without a length:\n${head}`));
      if (held.length < end + 4 + Number(length)) return;
      if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(held.toString()));
      held = Buffer.alloc(0);
      if (onAnswer()) socket.write(request);
      else resolve();
    });
    socket.write(request);
  });
}

if (import.meta.main) {
  const order = JSON.parse(process.argv[2] ?? '') as LoadOrder;
  process.stdout.write(JSON.stringify(await load(order)));
}
