import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostBlockProtectable } from '../../../../plugins/protectables/host/index.ts';
import { hostBlockProtection } from '../../../../plugins/protections/host/index.ts';
import { NbdClient } from '../../../../plugins/protections/host/nbd-client.ts';
import { openProtectionBench } from '../../../kit/host-protection.ts';
import { makeTestHost, type TestHost } from '../../../kit/host-volumes.ts';
import { createSeeded } from '../../../kit/seeded.ts';

let host: TestHost;
beforeEach(async () => {
  host = await makeTestHost();
});
afterEach(() => host.remove());

/** A header of version 3 with the bytes at that place set. */
const header = (at: number, ...bytes: number[]): Buffer => {
  const image = Buffer.alloc(512);
  image.write('QFI\xfb\0\0\0\x03', 0, 'latin1');
  image.set(bytes, at);
  return image;
};

describe('options', () => {
  test.each([
    [{ bitmap: 'karri' }, 'bitmap'],
    [{ qcow2: 'content' }, 'qcow2'],
    [{ qcow2: 'contents', bitmap: 'a:b' }, 'bitmap'],
    [{ qcow2: 'contents', bitmap: 'x'.repeat(65) }, 'bitmap'],
    [{ qcow2: 'contents', bitmap: 'karri', full_read_every: '-1' }, 'full_read_every'],
    [{ qcow2: 'contents', bitmap: 'karri', full_read_every: '2.5' }, 'full_read_every'],
  ])('%j are refused', async (parameters: Record<string, string>, parameter) => {
    await writeFile(join(host.first, 'disk.qcow2'), header(0));
    const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host);
    const protecting = bench.protect(await bench.resource('disk.qcow2'), parameters);
    await expect(protecting).rejects.toMatchObject({ code: 'host.bad_parameter', details: { parameter } });
    expect(bench.mover.calls).toEqual([]);
  });

  test('a raw image is its own contents', async () => {
    await writeFile(join(host.first, 'disk.img'), 'raw');
    const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host);
    const saved = await bench.protect(await bench.resource('disk.img'), { qcow2: 'contents', bitmap: 'karri' });
    expect(saved).toMatchObject({ format: 'raw', name: 'disk.img', size_bytes: 3 });
  });
});

test.each([
  ['has a backing file', header(8, 0, 0, 0, 0, 0, 0, 2, 0)],
  ['is encrypted', header(32, 0, 0, 0, 2)],
  ['keeps its data in another file', header(72, 0, 0, 0, 0, 0, 0, 0, 4)],
])('an image that %s is refused before anything opens it', async (what, image) => {
  await writeFile(join(host.first, 'disk.qcow2'), image);
  const bench = await openProtectionBench(hostBlockProtection, hostBlockProtectable, host);
  const protecting = bench.protect(await bench.resource('disk.qcow2'), { qcow2: 'contents' });
  await expect(protecting).rejects.toMatchObject({ code: 'host.qcow2_unsupported', message: expect.stringContaining(what) });
});

describe('the NBD client', () => {
  async function withServer<T>(serve: (socket: Socket) => void, work: (path: string) => Promise<T>): Promise<T> {
    const path = join(host.outside, 'socket');
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      serve(socket);
    });
    server.listen(path);
    await once(server, 'listening');
    try {
      return await work(path);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    }
  }

  const greeting = Buffer.from('NBDMAGICIHAVEOPT\0\x03', 'latin1');
  const hello = Buffer.concat([
    greeting,
    reply(8, 1),
    reply(10, 4, '\0\0\0\x07base:allocation'),
    reply(10, 1),
    reply(7, 3, info(4096)),
    reply(7, 1),
  ]);
  const open = (path: string): Promise<NbdClient> => NbdClient.open(path, 'karri', ['base:allocation']);

  test('tells what a server gets wrong', async () => {
    const chance = createSeeded('nbd');
    const wrong = [
      Buffer.alloc(0),
      chance.bytes(18),
      Buffer.concat([greeting, chance.bytes(200)]),
      Buffer.concat([greeting, reply(8, 0x8000_0001)]),
      Buffer.concat([greeting, reply(8, 1), reply(10, 1)]),
      hello.subarray(0, hello.length - 1),
    ];
    for (const bytes of wrong) {
      const opening = withServer((socket) => void socket.end(bytes), open);
      await expect(opening).rejects.toMatchObject({ code: 'host.export_failed', kind: 'unavailable' });
    }
  });

  const chunk = (flags: number, type: number, cookie: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(20);
    head.writeUInt32BE(0x668e33ef, 0);
    head.writeUInt16BE(flags, 4);
    head.writeUInt16BE(type, 6);
    head.writeBigUInt64BE(BigInt(cookie), 8);
    head.writeUInt32BE(payload.length, 16);
    return Buffer.concat([head, payload]);
  };
  const at = (offset: number, rest: Buffer): Buffer => {
    const place = Buffer.alloc(8);
    place.writeBigUInt64BE(BigInt(offset));
    return Buffer.concat([place, rest]);
  };

  /** Says hello at once, and answers the first read, which may come together with the end of the handshake. */
  const answering = (answer: Buffer) => (socket: Socket) => {
    socket.write(hello);
    socket.on('data', (data: Buffer) => {
      const last = data.subarray(-28);
      if (last.length === 28 && last.readUInt32BE(0) === 0x25609513 && last.readUInt16BE(6) === 0) socket.write(answer);
    });
  };

  test('puts data and holes where they belong, in whatever order they come', async () => {
    const answer = Buffer.concat([
      chunk(0, 1, 1, at(300, Buffer.from('later'))),
      chunk(0, 2, 1, at(200, Buffer.from([0, 0, 0, 100]))),
      chunk(1, 1, 1, at(100, Buffer.from('sooner'))),
    ]);
    await withServer(answering(answer), async (path) => {
      const client = await open(path);
      expect(client.sizeBytes).toBe(4096);
      const bytes = Buffer.alloc(205, 1);
      await client.read(bytes, 100);
      expect(bytes.toString('latin1', 0, 6)).toBe('sooner');
      expect(bytes.subarray(100, 200).equals(Buffer.alloc(100))).toBe(true);
      expect(bytes.toString('latin1', 200)).toBe('later');
      client.close();
      await expect(client.read(bytes, 0)).rejects.toMatchObject({ code: 'host.export_failed' });
    });
  });

  test.each([
    ['bytes of another place', chunk(1, 1, 1, at(50, Buffer.from('x')))],
    ['more bytes than were asked for', chunk(1, 1, 1, at(300, Buffer.alloc(100)))],
    ['an answer to nobody', chunk(1, 1, 9, at(100, Buffer.from('x')))],
    ['an error', chunk(1, 0x8001, 1, Buffer.from('\0\0\0\x05\0\x08no space', 'latin1'))],
    ['a reply of no known type', chunk(1, 77, 1, Buffer.alloc(4))],
    ['nonsense', Buffer.alloc(64, 3)],
  ])('fails the read on %s', async (_name, answer) => {
    await withServer(answering(answer), async (path) => {
      const client = await open(path);
      await expect(client.read(Buffer.alloc(205), 100)).rejects.toMatchObject({ code: 'host.export_failed' });
      client.close();
    });
  });
});

function reply(option: number, type: number, payload: string | Buffer = ''): Buffer {
  const data = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(0x3e889045565a9n, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

function info(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 2);
  return bytes;
}
