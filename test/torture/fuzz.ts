/** What a thread of `parsers.ts` does: feeds every parser of bank bytes with what no writer would write. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import { decodeGcRecord, encodeGcRecord } from '../../src/repository/gc/record.ts';
import { decodeIndex, encodeIndex } from '../../src/repository/index/format.ts';
import { decodeDirectory, parseFooter } from '../../src/repository/packs/format.ts';
import { codecZstd, compress, decompress } from '../../src/repository/seal/compression.ts';
import { openObject, type RootKey, sealObject } from '../../src/repository/seal/crypto.ts';
import { Snapshots } from '../../src/repository/snapshots/snapshots.ts';
import { ByteReader, ByteWriter } from '../../src/repository/tree/bytes.ts';
import { emptyNode, readBody, readRuns, writeBody, writeRun } from '../../src/repository/tree/node.ts';
import { SegmentCutter, SegmentReader } from '../../src/repository/tree/segments.ts';
import { decodeLeaf, decodeRoot, emptySlots, encodeLeaf } from '../../src/repository/volume/map.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createSeeded, type Seeded } from '../kit/seeded.ts';

export interface FuzzOutcome {
  readonly tried: number;
  /** Parsers that did not take what a writer would write: then nothing else gets far into them. */
  readonly refusing: readonly string[];
  readonly crashes: readonly string[];
}

interface Parser {
  /** What a writer would write. */
  readonly whole: Buffer;
  /** Undefined, or a fault of the kind corrupt, says that it is none. */
  parse(bytes: Buffer): unknown;
}

const root: RootKey = { id: 'ab'.repeat(16), secret: Buffer.alloc(32, 3) };
const roots = new Map([[root.id, root]]);
const projectId = 'project';
const snapshotId = `${'12'.repeat(16)}-${'34'.repeat(16)}`;
const snapshots = new Snapshots({
  store: createMemoryStore(),
  projectId,
  keys: { writing: root, all: roots },
  log: silentLog,
  clock: systemClock,
});
const slots = emptySlots();
for (const slot of [0, 1, 9]) slots.fill(slot + 1, slot * 32, slot * 32 + 32);
const snapshot = {
  format: 1,
  id: snapshotId,
  kind: 'volume',
  subject: 's',
  created_at: '2026-01-01T00:00:00.000Z',
  created_at_ms: 1_767_225_600_000,
  size_bytes: 3 * 1024 * 1024,
  stored_bytes: 0,
  reused_bytes: 0,
  files: 1,
  digest: 'blake3-keyed:00',
  warnings: [],
  parent: null,
  source: null,
  root: { slot_bytes: 262_144, leaves: ['ab'.repeat(32)] },
};

const parsers: Readonly<Record<string, Parser>> = {
  index: {
    whole: encodeIndex(
      [{ id: '1f'.repeat(16), keyId: root.id, sizeBytes: 5000 }],
      [1, 2, 3].map((n) => ({
        id: Buffer.alloc(32, n),
        pack: 0,
        blockOffset: 8,
        blockLength: 90,
        rawLength: 400,
        chunkOffset: n,
        chunkLength: 9,
      })),
    ),
    parse: (bytes) => decodeIndex(bytes),
  },
  directory: { whole: directory(), parse: (bytes) => decodeDirectory(bytes, 5000) },
  footer: { whole: footer(), parse: (bytes) => parseFooter(bytes.subarray(-32), 5000) },
  'sealed object': {
    whole: sealObject(root, projectId, 'index', 'n', Buffer.alloc(500)),
    parse: (bytes) => openObject(roots, projectId, 'index', 'n', bytes),
  },
  frame: {
    whole: Buffer.from(compress(Buffer.alloc(5000), 'fast').payload),
    parse: (bytes) => decompress(codecZstd, bytes, 5000),
  },
  leaf: { whole: encodeLeaf(slots) ?? Buffer.alloc(0), parse: (bytes) => decodeLeaf(bytes, 1024, 's') },
  'record of a collection': {
    whole: encodeGcRecord({
      generation: 3,
      suspects: ['a'],
      quarantined: new Map([['b', 2]]),
      deleting: ['c'],
      forgotten: new Map(),
      snapshots: ['d'],
    }),
    parse: (bytes) => decodeGcRecord(bytes, 3),
  },
  // Sealed by one who has the key: what gets behind the seal has to be looked at all the same.
  snapshot: {
    whole: Buffer.from(JSON.stringify(snapshot)),
    parse: (bytes) => decodeRoot(snapshots.open(snapshotId, sealObject(root, projectId, 'snapshot', snapshotId, bytes))),
  },
  segment: { whole: segment(), parse: readSegment },
  runs: { whole: runs(), parse: (bytes) => [...readRuns(new ByteReader(bytes))].length },
};

function directory(): Buffer {
  const bytes = Buffer.alloc(8 + 16 + 40);
  for (const [at, number] of [1, 1, 8, 100, 400, 1].entries()) bytes.writeUInt32LE(number, at * 4);
  bytes.writeUInt32LE(400, bytes.length - 4);
  return bytes;
}

function footer(): Buffer {
  const bytes = Buffer.alloc(32, 'ab', 'hex');
  bytes.writeUInt32LE(4000, 16);
  bytes.writeUInt32LE(5000 - 32 - 4000, 20);
  bytes.writeUInt32LE(1, 24);
  bytes.write('KPCK', 28);
  return bytes;
}

function segment(): Buffer {
  const cutter = new SegmentCutter();
  for (const path of ['', 'a', 'a/b', 'c']) {
    const writer = new ByteWriter(200);
    writeBody(writer, { ...emptyNode, type: path === '' || path === 'a' ? 'folder' : 'fifo' });
    cutter.add(path, writer.take());
  }
  return cutter.finish() ?? Buffer.alloc(0);
}

function runs(): Buffer {
  const writer = new ByteWriter(200);
  for (const n of [1, 2]) writeRun(writer, { gap: n, length: 10, id: Buffer.alloc(32, n) });
  return writer.take();
}

function readSegment(bytes: Buffer): unknown {
  const reader = new SegmentReader(bytes);
  let nodes = 0;
  while (reader.next()) {
    readBody(new ByteReader(reader.body));
    nodes++;
  }
  return nodes > 0 ? nodes : undefined;
}

/** Few, large and odd numbers, noise, and a whole that was spoilt in a few places. */
function spoil(whole: Buffer, chance: Seeded): Buffer {
  const upTo = (count: number): number => Math.floor(chance.fraction() * count);
  const odd = [0, 1, 0x7f, 0x80, 0xffff, 0x7fffffff, 0xffffffff, 0x10000, whole.length];
  if (upTo(5) === 0) return chance.bytes(upTo(400));
  if (upTo(5) === 0) {
    const numbers = Buffer.alloc(4 * upTo(40));
    for (let at = 0; at < numbers.length; at += 4) numbers.writeUInt32LE(odd[upTo(odd.length)] ?? 0, at);
    return numbers;
  }
  let bytes = Buffer.from(whole);
  for (let n = upTo(4); n >= 0; n--) {
    const at = upTo(bytes.length);
    const how = upTo(5);
    if (how === 0) bytes[at] = upTo(256);
    else if (how === 1 && bytes.length >= 4) bytes.writeUInt32LE(odd[upTo(odd.length)] ?? 0, Math.min(at, bytes.length - 4));
    else if (how === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + upTo(8))]);
    else if (how === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(upTo(bytes.length))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), chance.bytes(upTo(5)), bytes.subarray(at)]);
  }
  return bytes;
}

/** Far more than any input of these sizes is worth. */
const maxTakenBytes = 96 * 1024 * 1024;

function run({ seed, inputs }: { readonly seed: number; readonly inputs: number }): FuzzOutcome {
  const chance = createSeeded('parsers', seed);
  const names = Object.keys(parsers);
  const crashes: string[] = [];
  const refusing: string[] = [];
  for (let n = 0; n < inputs; n++) {
    const name = names[n % names.length] ?? '';
    const parser = parsers[name];
    if (parser === undefined) continue;
    const input = n < names.length ? parser.whole : spoil(parser.whole, chance);
    const before = process.memoryUsage().arrayBuffers;
    try {
      if (parser.parse(Buffer.from(input)) === undefined && input === parser.whole) refusing.push(name);
    } catch (error) {
      if (input === parser.whole) refusing.push(name);
      if (!isFault(error) || error.kind !== 'corrupt') crashes.push(`${name} ${input.toString('hex')}: ${String(error)}`);
    }
    const taken = process.memoryUsage().arrayBuffers - before;
    if (taken > maxTakenBytes) crashes.push(`${name} ${input.toString('hex')}: took ${taken} bytes`);
  }
  return { tried: inputs, refusing, crashes };
}

parentPort?.postMessage(run(workerData as { readonly seed: number; readonly inputs: number }));
