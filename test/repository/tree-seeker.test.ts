import { beforeEach, expect, test } from 'vitest';
import type { ChunkSource } from '../../src/repository/packs/chunk-source.ts';
import type { SnapshotRecord } from '../../src/repository/snapshots/record.ts';
import { ByteWriter } from '../../src/repository/tree/bytes.ts';
import { listTree, readTree } from '../../src/repository/tree/contents.ts';
import { emptyNode, type NodeType, type TreeNode, writeBody } from '../../src/repository/tree/node.ts';
import { compareTreePaths } from '../../src/repository/tree/path.ts';
import { describeRoot } from '../../src/repository/tree/reader.ts';
import { TreeSeeker } from '../../src/repository/tree/seeker.ts';
import { SegmentCutter } from '../../src/repository/tree/segments.ts';

const folders = Array.from({ length: 50 }, (_, f) => `folder-${String(f).padStart(2, '0')}`);
const filesOf = (folder: string): string[] =>
  Array.from({ length: 200 }, (_, i) => `${folder}/${String(i).padStart(3, '0')}${'n'.repeat(240)}`);
const paths = ['', ...folders.flatMap((folder) => [folder, ...filesOf(folder)]), 'zz'];

const segments = cutSegments();
const snapshot = describeSnapshot(segments.length);
let fetched = 0;
beforeEach(() => {
  fetched = 0;
});

/** Segments whose ids are their numbers. */
const source: ChunkSource = {
  has: () => true,
  batches: () => {
    throw new Error('not asked for');
  },
  fetch: async (ids) => {
    const wanted = Array.from({ length: ids.length / 32 }, (_, i) => Buffer.from(ids).readUInt32LE(i * 32));
    fetched += wanted.length;
    return wanted.map((number) => Buffer.from(segments[number] ?? []));
  },
};

test.each<[string, [string, Partial<TreeNode> & { type: NodeType }][]]>([
  [
    'to nothing',
    [
      ['a', { type: 'file' }],
      ['b', { type: 'hardlink', target: 'absent' }],
    ],
  ],
  [
    'out of the tree',
    [
      ['a', { type: 'file' }],
      ['b', { type: 'hardlink', target: '../etc/passwd' }],
    ],
  ],
  [
    'through a symlink',
    [
      ['a', { type: 'symlink', target: '/etc' }],
      ['b', { type: 'hardlink', target: 'a/passwd' }],
    ],
  ],
  [
    'to a folder',
    [
      ['a', { type: 'folder' }],
      ['b', { type: 'hardlink', target: 'a' }],
    ],
  ],
  [
    'to a symlink',
    [
      ['a', { type: 'symlink', target: 'x' }],
      ['b', { type: 'hardlink', target: 'a' }],
    ],
  ],
  [
    'to the root',
    [
      ['a', { type: 'file' }],
      ['b', { type: 'hardlink', target: '' }],
    ],
  ],
  [
    'to itself',
    [
      ['a', { type: 'file' }],
      ['b', { type: 'hardlink', target: 'b' }],
    ],
  ],
  [
    'to what comes later',
    [
      ['a', { type: 'hardlink', target: 'b' }],
      ['b', { type: 'file' }],
    ],
  ],
])('a hard link %s is damage, whoever reads it', async (_name, nodes) => {
  const [segment] = cut([['', { type: 'folder' }], ...nodes]);
  const one: ChunkSource = { ...source, fetch: async () => [Buffer.from(segment ?? [])] };
  const read = async (): Promise<void> => {
    for await (const part of readTree(one, describeSnapshot(1), Buffer.alloc(0), {})) expect(part).toBeDefined();
  };
  await expect(read()).rejects.toMatchObject({ code: 'repository.tree_damaged' });
});

function cutSegments(): Buffer[] {
  return cut(
    paths.map((path) => {
      const type = path === '' || folders.includes(path) ? 'folder' : 'symlink';
      // Long targets, so that few nodes fill many segments.
      return [path, { type, target: type === 'symlink' ? 't'.repeat(4000) : '' }];
    }),
  );
}

function cut(nodes: readonly [string, Partial<TreeNode> & { readonly type: NodeType }][]): Buffer[] {
  const cutter = new SegmentCutter();
  const writer = new ByteWriter(100);
  const segments: Buffer[] = [];
  for (const [path, node] of nodes) {
    writeBody(writer, { ...emptyNode, ...node });
    const segment = cutter.add(path, writer.take());
    if (segment) segments.push(segment);
  }
  const last = cutter.finish();
  return last ? [...segments, last] : segments;
}

function describeSnapshot(count: number): SnapshotRecord {
  const ids = Array.from({ length: count }, (_, number) => {
    const id = Buffer.alloc(32);
    id.writeUInt32LE(number);
    return id;
  });
  return {
    id: 'test',
    keyId: '0',
    kind: 'tree',
    subject: 'test',
    createdAtMs: 0,
    sizeBytes: 0,
    storedBytes: 0,
    reusedBytes: 0,
    files: paths.length,
    digest: '',
    warnings: [],
    parent: null,
    source: null,
    root: describeRoot(ids),
  };
}

test('the tree of this test has segments enough', () => {
  expect(segments.length).toBeGreaterThan(100);
});

test('any node is found, by looking into some eight segments', async () => {
  for (const path of paths.filter((_, number) => number % 97 === 0 || number < 3)) {
    fetched = 0;
    const seeker = new TreeSeeker(source, snapshot, undefined);
    expect(await seeker.seek((each) => compareTreePaths(each, path) < 0)).toBe(true);
    expect(seeker.path).toBe(path);
    expect(fetched).toBeLessThanOrEqual(Math.ceil(Math.log2(segments.length)) + 2);
  }
});

test('what is not there is not found: the next node is', async () => {
  const seeker = new TreeSeeker(source, snapshot, undefined);
  expect(await seeker.seek((each) => compareTreePaths(each, 'folder-07/999') < 0)).toBe(true);
  expect(seeker.path).toBe('folder-08');
  expect(await seeker.seek((each) => compareTreePaths(each, 'zzz') < 0)).toBe(false);
});

test('all nodes come in order, each segment being fetched once', async () => {
  const seeker = new TreeSeeker(source, snapshot, undefined);
  const found: string[] = [];
  while (await seeker.next()) found.push(seeker.path);
  expect(found).toEqual(paths);
  expect(fetched).toBe(segments.length);
});

test('a list of the root jumps over what is below its folders', async () => {
  const list = (limit: number) => listTree(source, snapshot, { folder: Buffer.alloc(0), limit }, {});
  expect((await list(1000)).map(({ path }) => String(path))).toEqual([...folders, 'zz']);
  fetched = 0;
  expect(await list(3)).toHaveLength(3);
  expect(fetched).toBeLessThan(30);
});

test('segments of two trees are not taken for one', async () => {
  const ids = [0, 2].map((number) => Buffer.from([number, ...Buffer.alloc(31)]));
  const seeker = new TreeSeeker(source, { ...snapshot, root: describeRoot(ids) }, undefined);
  const walk = async (): Promise<void> => {
    while (await seeker.next());
  };
  await expect(walk()).rejects.toMatchObject({ code: 'repository.tree_damaged' });
});
