import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createFolder, testProjectId, testProviderKey } from '../kit/repositories.ts';
import { goldenFolder, goldenVolume, noise } from './golden-content.ts';
import { describeVolume, listManifests, readManifest, takesAtMost } from './manifest.ts';
import { createReader, type Reader, type ReaderOptions, type Snapshot } from './reader.ts';
import { Refused } from './reader-bytes.ts';
import type { TreeNode } from './reader-tree.ts';
import { cutByContent, endsSegment } from './writer-rules.ts';

const KiB = 1 << 10;
const MiB = 1 << 20;

const openGolden = (name: string, options: Partial<ReaderOptions> = {}): Promise<Reader> =>
  createReader({ folder: join(goldenFolder, name), project: testProjectId, providerKey: testProviderKey, ...options });

describe('a stranger who knows FORMAT.md alone', () => {
  test('there are golden repositories to read', () => {
    expect(listManifests()).toEqual(['v1-gc', 'v1-race', 'v1-tree']);
  });

  describe.each(['indexes', 'packs'] as const)('who learns from the %s where chunks are', (from) => {
    test('reads the first golden repository', async () => {
      using folder = createFolder();
      const reader = await openGolden('v1', { from });
      expect(readSmall(reader, folder.path)).toEqual(smallContent);
    });

    test.each(listManifests())('reads all that the manifest of %s tells of', async (name) => {
      using folder = createFolder();
      const { project, provider_key, snapshots } = readManifest(name);
      const reader = await openGolden(name, { project, providerKey: Buffer.from(provider_key, 'hex'), from });
      const listed = reader.listSnapshots();
      expect(listed.map(({ id }) => id)).toEqual(snapshots.map(({ id }) => id).sort());
      for (const { id, subject, parent, tree, volume } of snapshots) {
        const snapshot = listed.find((other) => other.id === id);
        expect(snapshot).toMatchObject({ subject, parent, kind: tree ? 'tree' : 'volume' });
        if (tree) expect(describeNodes(reader, id, folder)).toEqual(tree);
        if (volume) {
          const file = folder.file(id);
          reader.extractVolume(id, file);
          const places = Object.keys(volume.slots);
          expect(describeVolume(file, places)).toEqual(volume);
          expect(takesAtMost(file, places.length * 256 * KiB)).toBe(true);
        }
      }
    });
  });

  test('finds holes where there were holes', async () => {
    using folder = createFolder();
    const { reader, id, find } = await openTree();
    const extents = (path: string): [number, number][] => find(path).runs.map(({ offset, length }) => [offset, length]);
    expect(extents('hole')).toEqual([]);
    expect(extents('empty')).toEqual([]);
    // 28 KiB of hole between two pieces of data is stored as zeros.
    expect(extents('sparse')).toEqual([
      [MiB, 44 * KiB],
      [2 * MiB, 4 * KiB],
    ]);
    expect(extents('many runs')).toEqual(Array.from({ length: 600 }, (_, i) => [i * 72 * KiB, 4 * KiB]));
    for (const path of ['hole', 'sparse']) {
      reader.extractFile(id, find(path), folder.file(path));
      expect(takesAtMost(folder.file(path), 48 * KiB)).toBe(true);
    }
  });

  test('cuts large files and segments where the writer did', async () => {
    using folder = createFolder();
    const { reader, id, nodes, find } = await openTree();
    const large = find('large');
    const lengths = large.runs.map(({ length }) => length);
    reader.extractFile(id, large, folder.file('large'));
    expect(lengths).toEqual(cutByContent(readFileSync(folder.file('large'))));
    // One cut for each of the reasons there are, and the end of the file.
    const [early = 0, late = 0, never] = lengths;
    expect([early < MiB, late > MiB && late < 4 * MiB, never, lengths.length]).toEqual([true, true, 4 * MiB, 4]);

    const last = nodes.filter(({ segment }, i) => i < nodes.length - 1 && nodes[i + 1]?.segment !== segment);
    expect(last).toHaveLength(3);
    expect(last).toEqual(nodes.filter(({ path, recordBytes }) => endsSegment(path, recordBytes)));
  });

  test('sees what was forgotten, collected and found damaged', async () => {
    const reader = await openGolden('v1-gc');
    const { snapshots } = readManifest('v1-gc');
    const marks = reader.listMarks();
    expect(marks).toEqual([{ pack: expect.stringMatching(/^[0-9a-f]{32}$/), what: expect.stringContaining('does not open') }]);
    const forgotten = reader.listForgotten();
    expect(forgotten.map(({ subject }) => subject).sort()).toEqual(['forgotten', 'forgotten later']);
    const collections = reader.listCollections();
    expect(collections.map(({ generation }) => generation)).toEqual([1, 2, 3]);
    const [first, second, third] = collections;
    // The damaged pack is needed by nothing since its chunks were stored again.
    expect(first).toMatchObject({ suspects: [marks[0]?.pack], quarantined: {}, deleting: [], forgotten: {} });
    expect(second?.quarantined).toEqual({ [marks[0]?.pack ?? '']: 2 });
    expect(second?.suspects).toHaveLength(1);
    expect(third?.deleting).toEqual([marks[0]?.pack]);
    expect(Object.values(third?.quarantined ?? {})).toEqual([3]);
    expect(third?.suspects).toHaveLength(1);
    expect(Object.keys(third?.forgotten ?? {}).sort()).toEqual(forgotten.map(({ id }) => id).sort());
    expect([...(third?.snapshots ?? [])].sort()).toEqual(snapshots.map(({ id }) => id.slice(-16)).sort());
  });

  test('sees two root keys after a race, and the smaller one in use', async () => {
    const roots = readdirSync(join(goldenFolder, 'v1-race', 'keys')).sort();
    expect(roots).toHaveLength(2);
    const rootOf = ({ id }: Snapshot): string =>
      readFileSync(join(goldenFolder, 'v1-race', 'snapshots', id.replace('-', '/'))).toString('hex', 16, 32);
    const snapshots = (await openGolden('v1-race')).listSnapshots();
    const byTime = snapshots.sort((a, b) => (a.id.slice(33) < b.id.slice(33) ? -1 : 1));
    expect(byTime.map(rootOf).slice(0, 2).sort()).toEqual(roots);
    expect(byTime.map(rootOf)[2]).toBe(roots[0]);
  });
});

describe('a stranger refuses', () => {
  test.each([
    ['another provider key', { providerKey: Buffer.alloc(32, 1) }],
    ['another project', { project: 'another' }],
  ])('%s', async (_name, options) => {
    await expect(openGolden('v1', options)).rejects.toThrow(Refused);
  });

  test('a repository of which the keys were destroyed', async () => {
    using folder = createFolder();
    const copy = folder.file('copy');
    cpSync(join(goldenFolder, 'v1'), copy, { recursive: true });
    writeFileSync(join(copy, 'keys', 'destroyed'), '');
    await expect(createReader({ folder: copy, project: testProjectId, providerKey: testProviderKey })).rejects.toThrow(
      /destroyed/,
    );
  });

  test('a tree that is asked for as a volume', async () => {
    const { reader, id } = await openTree();
    expect(() => reader.extractVolume(id, '/nowhere')).toThrow(Refused);
  });

  const flips = [0, 8, 20, 30, 60, -100, -20, -1].map((place) => [
    `with a bit flipped at ${place}`,
    (bytes: Buffer) => {
      const at = place < 0 ? bytes.length + place : place;
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      return bytes;
    },
  ]);
  const damages: Readonly<Record<string, (bytes: Buffer, sibling: Buffer) => Buffer | undefined>> = {
    ...Object.fromEntries(flips),
    'one byte short': (bytes) => bytes.subarray(0, -1),
    'longer by a byte': (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
    empty: () => Buffer.alloc(0),
    'replaced by a sibling': (_bytes, sibling) => sibling,
    'that is gone': () => undefined,
  };

  test.each(Object.entries(damages))('an object %s', async (_name, damage) => {
    using folder = createFolder();
    const copy = folder.file('copy');
    cpSync(join(goldenFolder, 'v1'), copy, { recursive: true });
    for (const file of listFiles(copy)) {
      const whole = readFileSync(file);
      const kind = file.slice(copy.length + 1).split('/')[0] ?? '';
      const [sibling = ''] = listFiles(join(copy, kind)).filter((other) => other !== file);
      const broken = damage(Buffer.from(whole), readFileSync(sibling));
      if (broken === undefined) rmSync(file);
      else writeFileSync(file, broken);
      const outcome = await readOrRefuse(copy, folder.path);
      // The twin of a slot is enough; a snapshot that is gone is one that was never listed; all else is noticed.
      if (kind === 'keys') expect(outcome).toEqual(smallContent);
      else if (kind === 'snapshots' && broken === undefined) expect(smallContent).toMatchObject(outcome);
      else expect(outcome, file).toBeInstanceOf(Refused);
      writeFileSync(file, whole);
    }
    expect(await readOrRefuse(copy, folder.path)).toEqual(smallContent);
  });
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const smallContent: Readonly<Record<string, string>> = {
  volume: sha256(goldenVolume()),
  '': 'folder 755',
  folder: 'folder 755',
  'folder/empty': 'folder 755',
  'folder/link': 'symlink 777 ../one',
  'folder/noise': sha256(noise('tree', 20_000)),
  one: sha256(Buffer.from('one\n')),
};

function readSmall(reader: Reader, folder: string): Readonly<Record<string, string>> {
  const content: Record<string, string> = {};
  const file = join(folder, 'extracted');
  for (const { id, kind, subject } of reader.listSnapshots()) {
    if (kind === 'volume') content[subject] = extract(file, () => reader.extractVolume(id, file));
    else
      for (const node of reader.readTree(id)) {
        const facts = [node.type, node.mode.toString(8), `${node.target}`].filter((fact) => fact !== '').join(' ');
        content[`${node.path}`] = node.type === 'file' ? extract(file, () => reader.extractFile(id, node, file)) : facts;
      }
  }
  return content;
}

/** The digest of what is written. */
function extract(file: string, write: () => void): string {
  rmSync(file, { force: true });
  write();
  return sha256(readFileSync(file));
}

async function readOrRefuse(folder: string, scratch: string): Promise<Readonly<Record<string, string>> | Refused> {
  try {
    return readSmall(await createReader({ folder, project: testProjectId, providerKey: testProviderKey }), scratch);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

/** The first snapshot of the tree that has everything. */
async function openTree(): Promise<{ reader: Reader; id: string; nodes: TreeNode[]; find(path: string): TreeNode }> {
  const reader = await openGolden('v1-tree');
  const id = readManifest('v1-tree').snapshots[0]?.id ?? '';
  const nodes = reader.readTree(id);
  const find = (path: string): TreeNode => {
    const node = nodes.find((other) => other.path.toString() === path);
    expect(node, path).toBeDefined();
    return node!;
  };
  return { reader, id, nodes, find };
}

const typeBits = {
  file: 0o100000,
  folder: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
  character: 0o020000,
  block: 0o060000,
  link: 0,
};

/** The lines of the manifest, from what was read: they were made from the tree itself, by `describeTree`. */
function describeNodes(reader: Reader, id: string, folder: ReturnType<typeof createFolder>): string[] {
  const nodes = reader.readTree(id);
  const byPath = new Map(nodes.map((node) => [node.path.toString('latin1'), node]));
  return nodes.map((named) => {
    const firstPath = (named.type === 'link' ? named.target : named.path).toString('latin1');
    const node = byPath.get(firstPath) ?? named;
    const facts = [
      `mode=${(node.mode | typeBits[node.type]).toString(8)}`,
      `owner=${node.uid}:${node.gid}`,
      `mtime=${node.mtimeNs}`,
    ];
    if (node.type === 'file') {
      const links = nodes.filter(({ type, target }) => type === 'link' && target.equals(node.path)).length;
      facts.push(`links=${links + 1}`, `size=${node.size}`, `first=${nameOf(firstPath)}`, `sparse=${isSparse(node)}`);
      if (named === node) {
        const file = folder.file('extracted');
        facts.push(`sha256=${extract(file, () => reader.extractFile(id, node, file))}`);
      }
    }
    if (node.type === 'symlink') facts.push(`to=${JSON.stringify(node.target.toString('latin1'))}`);
    if (node.device) facts.push(`device=${deviceNumber(...node.device)}`);
    for (const [name, value] of node.xattrs) facts.push(`${name}=${value.toString('hex')}`);
    return `${nameOf(named.path.toString('latin1'))} ${facts.join(' ')}`;
  });
}

function nameOf(path: string): string {
  return JSON.stringify(path === '' ? '' : `/${path}`);
}

function isSparse({ size, runs }: TreeNode): boolean {
  return size >= 64 * KiB && runs.reduce((sum, { length }) => sum + length, 0) < size;
}

/** As Linux puts major and minor into one number. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + major * 256 + (minor >> 8) * 2 ** 20;
}

function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
