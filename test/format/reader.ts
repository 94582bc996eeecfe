/**
 * A reader of Karri's repositories that knows FORMAT.md and nothing else: no line of it comes from `src`. It is the proof that
 * what stands in a bank can be read without Karri. It believes nothing: whatever does not check out is refused.
 */
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { check } from './reader-bytes.ts';
import { openObject, openVault, type RootKey } from './reader-objects.ts';
import { createChunkReader } from './reader-packs.ts';
import { type Run, readSegments, type TreeNode } from './reader-tree.ts';

const slotBytes = 256 << 10;
const slotsInLeaf = 1024;

export interface Snapshot {
  readonly id: string;
  readonly kind: 'volume' | 'tree';
  readonly subject: string;
  readonly sizeBytes: number;
  readonly files: number;
  readonly digest: string;
  readonly parent: string | null;
}

/** What a garbage collection has found. */
export interface Collection {
  readonly generation: number;
  readonly suspects: readonly string[];
  readonly quarantined: Readonly<Record<string, number>>;
  readonly deleting: readonly string[];
  readonly forgotten: Readonly<Record<string, number>>;
  readonly snapshots: readonly string[];
}

export interface Reader {
  listSnapshots(): Snapshot[];
  /** Those that can be had back. */
  listForgotten(): Snapshot[];
  listCollections(): Collection[];
  /** Ids of packs that were found damaged, and what is said of them. */
  listMarks(): { readonly pack: string; readonly what: string }[];
  /** Writes the volume to a new file, with holes where nothing is stored. What is refused half-way leaves no file. */
  extractVolume(id: string, file: string): void;
  readTree(id: string): TreeNode[];
  /** Writes one file of that tree to a new file, with its holes. */
  extractFile(id: string, node: TreeNode, file: string): void;
}

export interface ReaderOptions {
  /** What stands under `repositories/<project>/` in the bank. */
  readonly folder: string;
  readonly project: string;
  readonly providerKey: Buffer;
  /** Packs: do without indexes, by the directories of all packs. */
  readonly from?: 'indexes' | 'packs';
}

/** Refuses at once when no root key opens or an index (with `from: 'packs'`, a pack) is damaged; all else when it is read. */
export async function createReader({ folder, project, providerKey, from = 'indexes' }: ReaderOptions): Promise<Reader> {
  const vault = await openVault(folder, project, providerKey);
  const readChunk = createChunkReader(vault, from);

  const getSnapshot = (id: string, folder = 'snapshots'): { snapshot: Snapshot; root: RootKey; map: unknown } => {
    const { raw, root } = openObject(vault, `${folder}/${id.replace('-', '/')}`, 'snapshot', id);
    const { snapshot, map } = parseSnapshot(raw, id, root);
    return { snapshot, root, map };
  };
  const getOf = (id: string, kind: Snapshot['kind']): ReturnType<typeof getSnapshot> => {
    const found = getSnapshot(id);
    check(found.snapshot.kind === kind, `snapshot ${id} is no ${kind}`);
    return found;
  };
  const writeFile = (file: string, size: number, runs: Iterable<Run>, root: RootKey): void => {
    const fd = openSync(file, 'wx');
    try {
      ftruncateSync(fd, size);
      for (const { offset, length, id } of runs) {
        const bytes = readChunk(root, id);
        check(bytes.length === length, `chunk ${id.toString('hex')} has ${bytes.length} bytes in place of ${length}`);
        writeSync(fd, bytes, 0, length, offset);
      }
    } catch (error) {
      rmSync(file); // half of it is worse than nothing
      throw error;
    } finally {
      closeSync(fd);
    }
  };

  return {
    listSnapshots() {
      const ids = vault.listObjects('snapshots').map((file) => file.slice('snapshots/'.length).replace('/', '-'));
      return ids.map((id) => getSnapshot(id).snapshot);
    },
    listForgotten() {
      const ids = vault.listObjects('forgotten').map((file) => file.slice('forgotten/'.length).replace('/', '-'));
      return ids.map((id) => getSnapshot(id, 'forgotten').snapshot);
    },
    listCollections() {
      return vault.listObjects('gc').map((file) => {
        const name = file.slice('gc/'.length);
        return parseCollection(openObject(vault, file, 'gc', name).raw, Number.parseInt(name.slice(0, 8), 16));
      });
    },
    listMarks() {
      return vault.listObjects('bad').map((file) => {
        const id = file.slice('bad/'.length);
        const { format, pack, what } = record(JSON.parse(openObject(vault, file, 'bad', id).raw.toString()));
        check(format === 1 && pack === id && typeof what === 'string', `${file} is of an unknown form`);
        return { pack: id, what };
      });
    },
    extractVolume(id, file) {
      const { snapshot, root, map } = getOf(id, 'volume');
      const leaves = parseLeaves(map, snapshot, root);
      writeFile(
        file,
        snapshot.sizeBytes,
        readLeaves(leaves, snapshot.sizeBytes, (leaf) => readChunk(root, leaf)),
        root,
      );
    },
    readTree(id) {
      const { snapshot, root, map } = getOf(id, 'tree');
      const { format, segments } = record(map);
      check(format === 1 && isHex(segments) && segments.length % 64 === 0, `snapshot ${id} has a root of an unknown form`);
      const ids = Array.from({ length: segments.length / 64 }, (_, i) => Buffer.from(segments.slice(i * 64, i * 64 + 64), 'hex'));
      const { nodes, blanked } = readSegments(ids, (chunk) => readChunk(root, chunk));
      checkDigest(snapshot, root.hash(...blanked.map((segment) => root.hash(segment))));
      const sizeBytes = nodes.reduce((sum, node) => sum + node.size, 0);
      const files = nodes.filter(({ type }) => type !== 'folder').length;
      check(sizeBytes === snapshot.sizeBytes && files === snapshot.files, `snapshot ${id} counts other nodes than it has`);
      return nodes;
    },
    extractFile(id, node, file) {
      check(node.type === 'file', `${node.path} is no file`);
      writeFile(file, node.size, node.runs, getOf(id, 'tree').root);
    },
  };
}

function parseSnapshot(raw: Buffer, id: string, root: RootKey): { snapshot: Snapshot; map: unknown } {
  const {
    format,
    id: ownId,
    kind,
    subject,
    size_bytes: sizeBytes,
    files,
    digest,
    parent,
    root: map,
  } = record(JSON.parse(raw.toString()));
  check(format === 1 && ownId === id && (kind === 'volume' || kind === 'tree'), `snapshot ${id} is of an unknown form`);
  check(
    typeof subject === 'string' && root.subjectFolder(subject) === id.slice(0, 32),
    `snapshot ${id} is in the folder of another subject`,
  );
  check(isCount(sizeBytes) && isCount(files), `snapshot ${id} has no size`);
  check(
    typeof digest === 'string' && (parent === null || typeof parent === 'string'),
    `snapshot ${id} has no digest or no parent`,
  );
  return { snapshot: { id, kind, subject, sizeBytes, files, digest, parent }, map };
}

/** The chunk ids of the leaves of a volume; undefined where a leaf has nothing but zeros. */
function parseLeaves(map: unknown, snapshot: Snapshot, root: RootKey): (Buffer | undefined)[] {
  const { slot_bytes, leaves } = record(map);
  check(slot_bytes === slotBytes && Array.isArray(leaves), `snapshot ${snapshot.id} has a root of an unknown form`);
  check(
    leaves.length === Math.ceil(snapshot.sizeBytes / slotBytes / slotsInLeaf),
    `snapshot ${snapshot.id} has another number of leaves`,
  );
  const ids = leaves.map((leaf: unknown) => {
    check(leaf === null || (isHex(leaf) && leaf.length === 64), `snapshot ${snapshot.id} has a leaf without an id`);
    return leaf === null ? undefined : Buffer.from(leaf, 'hex');
  });
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(snapshot.sizeBytes));
  checkDigest(snapshot, root.hash(size, ...ids.map((leaf) => leaf ?? Buffer.alloc(32))));
  return ids;
}

function* readLeaves(
  leaves: readonly (Buffer | undefined)[],
  sizeBytes: number,
  readChunk: (id: Buffer) => Buffer,
): Generator<Run> {
  for (const [number, id] of leaves.entries()) {
    if (!id) continue;
    const leaf = readChunk(id);
    let at = 128;
    for (let slot = 0; slot < slotsInLeaf; slot++) {
      if (((leaf[slot >> 3] ?? 0) & (1 << (slot & 7))) === 0) continue;
      const offset = (number * slotsInLeaf + slot) * slotBytes;
      check(offset < sizeBytes && at + 32 <= leaf.length, `leaf ${number} has more slots than there can be`);
      yield { offset, length: Math.min(slotBytes, sizeBytes - offset), id: leaf.subarray(at, at + 32) };
      at += 32;
    }
    check(at === leaf.length && at > 128, `leaf ${number} does not have as many ids as slots`);
  }
}

function checkDigest(snapshot: Snapshot, found: Buffer): void {
  check(snapshot.digest === `blake3-keyed:${found.toString('hex')}`, `snapshot ${snapshot.id} has another digest`);
}

function parseCollection(raw: Buffer, generation: number): Collection {
  const value = record(JSON.parse(raw.toString()));
  const texts = (list: unknown): readonly string[] => {
    check(
      Array.isArray(list) && list.every((text) => typeof text === 'string'),
      `generation ${generation} has a list of another form`,
    );
    return list;
  };
  const generations = (map: unknown): Readonly<Record<string, number>> => {
    const entries = Object.entries(record(map)).map(([name, since]): [string, number] => {
      check(isCount(since) && since >= 1 && since <= generation, `generation ${generation} knows of a later one`);
      return [name, since];
    });
    return Object.fromEntries(entries);
  };
  check(value['format'] === 1 && value['generation'] === generation, `generation ${generation} is of an unknown form`);
  return {
    generation,
    suspects: texts(value['suspects']),
    quarantined: generations(value['quarantined']),
    deleting: texts(value['deleting']),
    forgotten: generations(value['forgotten']),
    snapshots: texts(value['snapshots']),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]*$/.test(value);
}
