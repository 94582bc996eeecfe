import { connect, type Socket } from 'node:net';
import { type Extent, Fault } from 'karri/plugin';

/**
 * The reading half of NBD, as its specification has it: fixed newstyle handshake, structured replies, block status. Big-endian. Requests may
 * be under way at once; answers come in any order and find their request by its cookie.
 */
const magic = { nbd: 0x4e42444d41474943n, option: 0x49484156454f5054n, optionReply: 0x3e889045565a9n } as const;
const requestMagic = 0x25609513;
const chunkMagic = 0x668e33ef;
const clientFlags = 0b11; // fixed newstyle, no zeros after the handshake
const options = { go: 7, structuredReply: 8, setMetaContext: 10 } as const;
const replies = { ack: 1, info: 3, metaContext: 4 } as const;
const commands = { read: 0, disconnect: 2, blockStatus: 7 } as const;
const chunks = { none: 0, data: 1, hole: 2, blockStatus: 5 } as const;
const errorBit = 0x8000;
const doneFlag = 1;
/** What a server must allow without being asked is 32 MiB. */
const maxReadBytes = 8 * 1024 * 1024;
const maxStatusBytes = 1024 * 1024 * 1024;
/** Of anything but data: names, extents. */
const maxPayloadBytes = 64 * 1024 * 1024;

interface Pending {
  readonly target: Uint8Array;
  readonly offset: number;
  /** By context id. */
  readonly status: Map<number, StatusExtent[]>;
  error: Fault | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface StatusExtent extends Extent {
  readonly flags: number;
}

export class NbdClient {
  readonly sizeBytes: number;
  readonly #socket: Socket;
  readonly #feed: ByteFeed;
  readonly #contexts: ReadonlyMap<string, number>;
  readonly #pending = new Map<bigint, Pending>();
  #nextCookie = 1n;
  #ended: Fault | undefined;

  private constructor(socket: Socket, feed: ByteFeed, sizeBytes: number, contexts: ReadonlyMap<string, number>) {
    this.#socket = socket;
    this.#feed = feed;
    this.sizeBytes = sizeBytes;
    this.#contexts = contexts;
    this.#receiveAll().catch((error: unknown) => this.#end(error));
  }

  /** @throws {Fault} `host.export_failed` (unavailable), when nobody listens or the server lacks a context or the protocol differs */
  static async open(socketPath: string, exportName: string, contexts: readonly string[]): Promise<NbdClient> {
    const socket = connect(socketPath);
    socket.on('error', () => undefined); // whoever waits for bytes is told
    try {
      const feed = new ByteFeed(socket);
      const { sizeBytes, ids } = await shakeHands(socket, feed, exportName, contexts);
      return new NbdClient(socket, feed, sizeBytes, ids);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Fills all of `bytes`. */
  async read(bytes: Uint8Array, offset: number): Promise<void> {
    const parts: Promise<unknown>[] = [];
    for (let at = 0; at < bytes.length; at += maxReadBytes)
      parts.push(this.#request(commands.read, bytes.subarray(at, at + maxReadBytes), offset + at));
    await Promise.all(parts);
  }

  /** What a context says of the range, in order, adjoining extents with equal flags as one. */
  async *status(context: string, offset: number, length: number): AsyncGenerator<StatusExtent> {
    const id = this.#contexts.get(context);
    if (id === undefined) throw failed(`it was not asked for ${context}`);
    let last: StatusExtent | undefined;
    for (let at = offset; at < offset + length; ) {
      const count = Math.min(maxStatusBytes, offset + length - at);
      const { status } = await this.#request(commands.blockStatus, noBytes, at, count);
      const extents = status.get(id) ?? [];
      if (extents.length === 0) throw failed(`it does not answer for ${context}`);
      for (const { length: run, flags } of extents) {
        const extent = { offset: at, length: Math.min(run, offset + length - at), flags };
        at += extent.length;
        if (extent.length === 0) break; // an extent may reach beyond what was asked
        if (last?.flags === flags) last = { ...last, length: last.length + extent.length };
        else {
          if (last) yield last;
          last = extent;
        }
      }
    }
    if (last) yield last;
  }

  /** Says goodbye; the server goes on to its next client or ends. */
  close(): void {
    if (!this.#ended) this.#socket.end(request(commands.disconnect, 0n, 0, 0));
    this.#end(failed('the connection was closed'));
  }

  #request(command: number, target: Uint8Array, offset: number, length = target.length): Promise<Pending> {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      const cookie = this.#nextCookie++;
      const pending: Pending = {
        target,
        offset,
        status: new Map(),
        error: undefined,
        resolve: () => resolve(pending),
        reject,
      };
      this.#pending.set(cookie, pending);
      this.#socket.write(request(command, cookie, offset, length));
    });
  }

  async #receiveAll(): Promise<void> {
    for (;;) {
      const head = await this.#feed.take(20);
      if (head.readUInt32BE(0) !== chunkMagic) throw failed('it sends what is no structured reply');
      const cookie = head.readBigUInt64BE(8);
      const pending = this.#pending.get(cookie);
      if (pending === undefined) throw failed('it answers what was not asked');
      await this.#receiveChunk(pending, head.readUInt16BE(6), head.readUInt32BE(16));
      if ((head.readUInt16BE(4) & doneFlag) === 0) continue;
      this.#pending.delete(cookie);
      if (pending.error) pending.reject(pending.error);
      else pending.resolve();
    }
  }

  async #receiveChunk(pending: Pending, type: number, length: number): Promise<void> {
    const place = async (bytes: number): Promise<Uint8Array> => {
      const at = Number((await this.#feed.take(8)).readBigUInt64BE(0)) - pending.offset;
      if (at < 0 || at > pending.target.length) throw failed('it sends bytes of another place');
      const count = bytes >= 0 ? bytes : (await this.#feed.take(4)).readUInt32BE(0);
      if (at + count > pending.target.length) throw failed('it sends more than was asked');
      return pending.target.subarray(at, at + count);
    };
    if (type === chunks.data) await this.#feed.fill(await place(length - 8));
    else if (type === chunks.hole) (await place(-1)).fill(0);
    else if (type === chunks.none) return;
    else {
      const payload = await this.#feed.take(length);
      if ((type & errorBit) !== 0) pending.error ??= refused(payload);
      else if (type === chunks.blockStatus) pending.status.set(payload.readUInt32BE(0), readStatus(payload));
      else throw failed(`it sends a reply of type ${type}`);
    }
  }

  #end(error: unknown): void {
    this.#ended ??= error instanceof Fault ? error : failed(error instanceof Error ? error.message : String(error), error);
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
    if (!this.#socket.writableEnded) this.#socket.destroy();
  }
}

/** Bytes of a socket, as many as are wanted at a time. */
class ByteFeed {
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = noBytes;

  constructor(socket: Socket) {
    this.#pieces = socket[Symbol.asyncIterator]();
  }

  async fill(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length; ) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done) throw failed('the server hung up');
        this.#rest = next.value;
      }
      const count = Math.min(this.#rest.length, target.length - at);
      target.set(this.#rest.subarray(0, count), at);
      this.#rest = this.#rest.subarray(count);
      at += count;
    }
  }

  async take(length: number): Promise<Buffer> {
    if (length > maxPayloadBytes) throw failed(`it announces ${length} bytes`);
    const bytes = Buffer.alloc(length);
    await this.fill(bytes);
    return bytes;
  }
}

async function shakeHands(
  socket: Socket,
  feed: ByteFeed,
  exportName: string,
  contexts: readonly string[],
): Promise<{ readonly sizeBytes: number; readonly ids: Map<string, number> }> {
  const greeting = await feed.take(18);
  const isNewstyle = greeting.readBigUInt64BE(0) === magic.nbd && greeting.readBigUInt64BE(8) === magic.option;
  if (!isNewstyle || (greeting.readUInt16BE(16) & 1) === 0) throw failed('it does not speak fixed newstyle NBD');
  const flags = Buffer.alloc(4);
  flags.writeUInt32BE(clientFlags);
  socket.write(flags);
  const name = sized(exportName);
  await negotiate(socket, feed, options.structuredReply, noBytes, () => undefined);
  const ids = new Map<string, number>();
  const queries = Buffer.concat([name, u32(contexts.length), ...contexts.map(sized)]);
  await negotiate(socket, feed, options.setMetaContext, queries, (type, payload) => {
    if (type === replies.metaContext) ids.set(payload.toString('utf8', 4), payload.readUInt32BE(0));
  });
  for (const context of contexts) if (!ids.has(context)) throw failed(`it does not know ${context}`);
  let sizeBytes = 0;
  await negotiate(socket, feed, options.go, Buffer.concat([name, Buffer.alloc(2)]), (type, payload) => {
    if (type === replies.info && payload.readUInt16BE(0) === 0) sizeBytes = Number(payload.readBigUInt64BE(2));
  });
  return { sizeBytes, ids };
}

/** Sends an option and looks at every reply to it, to the acknowledgement that ends them. */
async function negotiate(
  socket: Socket,
  feed: ByteFeed,
  option: number,
  data: Buffer,
  look: (type: number, payload: Buffer) => void,
): Promise<void> {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(magic.option, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(data.length, 12);
  socket.write(Buffer.concat([head, data]));
  for (;;) {
    const reply = await feed.take(20);
    if (reply.readBigUInt64BE(0) !== magic.optionReply) throw failed('it answers an option with something else');
    const type = reply.readUInt32BE(12);
    const payload = await feed.take(reply.readUInt32BE(16));
    if (type === replies.ack) return;
    if (type >= 0x8000_0000) throw failed(`it refuses option ${option}: ${payload.toString() || `error ${type & 0xffff}`}`);
    look(type, payload);
  }
}

function request(command: number, cookie: bigint, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(requestMagic, 0);
  bytes.writeUInt16BE(command, 6);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeBigUInt64BE(BigInt(offset), 16);
  bytes.writeUInt32BE(length, 24);
  return bytes;
}

/** Offsets follow from the lengths, and are filled in by who knows what was asked. */
function readStatus(payload: Buffer): StatusExtent[] {
  const extents: StatusExtent[] = [];
  for (let at = 4; at + 8 <= payload.length; at += 8)
    extents.push({ offset: 0, length: payload.readUInt32BE(at), flags: payload.readUInt32BE(at + 4) });
  return extents;
}

function refused(payload: Buffer): Fault {
  return failed(payload.toString('utf8', 6, 6 + payload.readUInt16BE(4)) || `error ${payload.readUInt32BE(0)}`);
}

function sized(text: string): Buffer {
  return Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const noBytes = Buffer.alloc(0);

function failed(what: string, cause?: unknown): Fault {
  return new Fault('unavailable', 'host.export_failed', `The image could not be read through qemu-nbd: ${what}.`, {
    retry: 'later',
    cause,
    help: 'Look whether the image is whole (qemu-img check).',
  });
}
