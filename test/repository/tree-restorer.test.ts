import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SnapshotRecord } from '../../src/repository/snapshots/record.ts';
import { ByteWriter } from '../../src/repository/tree/bytes.ts';
import { listTreeChunks } from '../../src/repository/tree/chunks.ts';
import { emptyNode, hintBytes, type TreeNode, writeBody, writeRun } from '../../src/repository/tree/node.ts';
import { loadPosix } from '../../src/repository/tree/posix.ts';
import { restoreTree } from '../../src/repository/tree/restorer.ts';
import { SegmentCutter, SegmentReader } from '../../src/repository/tree/segments.ts';
import { writeTree } from '../../src/repository/tree/writer.ts';
import { createInlineCore, type InlineCore } from '../kit/inline-core.ts';
import { compareTrees } from '../kit/tree-compare.ts';

const isRoot = process.geteuid?.() === 0;
let folder: string;
let source: string;
let target: string;
let core: InlineCore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'karri-tree-restorer-'));
  source = join(folder, 'source');
  target = join(folder, 'inner', 'target');
  mkdirSync(source);
  mkdirSync(join(folder, 'inner'));
  core = createInlineCore();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const restore = (snapshot: SnapshotRecord) => restoreTree(core, snapshot, { path: target }, {});
const write = async (): Promise<SnapshotRecord> => {
  const { id } = await writeTree(core, { path: source }, { subject: 'tree' });
  return core.getSnapshot(id, undefined);
};

type MadeNode = Partial<TreeNode> & Pick<TreeNode, 'type'>;
const root: readonly [string, MadeNode] = ['', { type: 'folder', mode: 0o755 }];

/** A snapshot of nodes that no writer would write, with everything around them as it should be. */
function forge(nodes: readonly (readonly [string, MadeNode])[]): SnapshotRecord {
  const cutter = new SegmentCutter();
  const segments: Buffer[] = [];
  for (const [path, node] of nodes) {
    const body = new ByteWriter(100);
    writeBody(body, { ...emptyNode, mode: 0o644, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, ...node });
    const segment = cutter.add(path, body.take());
    if (segment !== undefined) segments.push(segment);
  }
  const last = cutter.finish();
  if (last !== undefined) segments.push(last);
  return snapshotOf(segments);
}

function snapshotOf(segments: readonly Buffer[]): SnapshotRecord {
  const ids = segments.map((segment) => core.put(segment).toString('hex'));
  const bareIds = segments.map((segment) => {
    const bare = Buffer.from(segment);
    const reader = new SegmentReader(bare);
    while (reader.next()) reader.body.fill(0, 0, hintBytes);
    return core.digest(bare);
  });
  return {
    id: 'forged',
    keyId: core.writingKeyId,
    kind: 'tree',
    subject: 'forged',
    createdAtMs: 0,
    sizeBytes: 0,
    storedBytes: 0,
    reusedBytes: 0,
    files: 0,
    digest: `blake3-keyed:${core.digest(Buffer.concat(bareIds)).toString('hex')}`,
    warnings: [],
    parent: null,
    source: {},
    root: { format: 1, segments: ids.join('') },
  };
}

const fileOf = (plain: Buffer): MadeNode => ({
  type: 'file',
  size: plain.length,
  content: { form: 'chunk', id: core.put(plain) },
});
const runsOf = (...runs: { gap: number; length: number; id: Uint8Array }[]): Buffer => {
  const writer = new ByteWriter(100);
  for (const run of runs) writeRun(writer, run);
  return writer.take();
};

describe('a made-up snapshot', () => {
  test('that is right is restored: the forger itself makes no difference', async () => {
    const snapshot = forge([
      root,
      ['a', fileOf(Buffer.from('hello'))],
      ['link', { type: 'symlink', target: 'a', mode: 0o777 }],
      ['z', { type: 'hardlink', target: 'a' }],
    ]);
    await expect(restore(snapshot)).resolves.toMatchObject({ files: 3, sizeBytes: 5, warnings: [] });
    expect(readdirSync(target)).toEqual(['a', 'link', 'z']);
  });

  const outside = Buffer.from('owned');
  const cases: [string, () => SnapshotRecord][] = [
    [
      'a path through a link',
      () => forge([root, ['out', { type: 'symlink', target: '../..' }], ['out/victim', fileOf(outside)]]),
    ],
    ['a name that goes up', () => forge([root, ['..', { type: 'folder' }], ['../victim', fileOf(outside)]])],
    ['an absolute path', () => forge([root, ['/victim', fileOf(outside)]])],
    ['NUL in a name', () => forge([root, ['a\0b', fileOf(outside)]])],
    ['a hard link that goes up', () => forge([root, ['victim', { type: 'hardlink', target: '../../secret' }]])],
    ['a hard link to an absolute path', () => forge([root, ['victim', { type: 'hardlink', target: '/etc/passwd' }]])],
    [
      'a hard link through a link',
      () => forge([root, ['out', { type: 'symlink', target: '../..' }], ['victim', { type: 'hardlink', target: 'out/secret' }]]),
    ],
    [
      'a hard link to a link',
      () => forge([root, ['out', { type: 'symlink', target: '../../secret' }], ['victim', { type: 'hardlink', target: 'out' }]]),
    ],
    ['a hard link to nothing', () => forge([root, ['victim', { type: 'hardlink', target: 'nothing' }]])],
    ['a file longer than its chunk', () => forge([root, ['a', { ...fileOf(Buffer.from('hello')), size: 6 }]])],
    [
      'content beyond the end',
      () =>
        forge([
          root,
          [
            'a',
            {
              type: 'file',
              size: 5,
              content: { form: 'runs', runs: runsOf({ gap: 3, length: 5, id: core.put(Buffer.from('hello')) }) },
            },
          ],
        ]),
    ],
    [
      'runs that are garbage',
      () => forge([root, ['a', { type: 'file', size: 5, content: { form: 'runs', runs: Buffer.from('garbage') } }]]),
    ],
    ['no root folder', () => forge([['a', fileOf(outside)]])],
    ['another digest', () => ({ ...forge([root]), digest: 'blake3-keyed:00' })],
    ['a root that names no segments', () => ({ ...forge([root]), root: { format: 1, segments: 'xyz' } })],
    ['no root at all', () => ({ ...forge([root]), root: null })],
    [
      'a segment of garbage',
      () => ({ ...forge([root]), root: { format: 1, segments: core.put(Buffer.from('\u0000garbage')).toString('hex') } }),
    ],
    [
      'segments in another order',
      () => {
        const many = Array.from({ length: 9000 }, (_, i) => [`file-${String(i).padStart(5, '0')}`, { type: 'file' }] as const);
        const snapshot = forge([root, ...many]);
        const segments = (snapshot.root as { segments: string }).segments.match(/.{64}/g) ?? [];
        expect(segments.length).toBeGreaterThan(1);
        return { ...snapshot, root: { format: 1, segments: segments.reverse().join('') } };
      },
    ],
  ];

  test.each(cases)('with %s is refused, and nothing is written outside', async (_, make) => {
    writeFileSync(join(folder, 'secret'), 'secret', { mode: 0o600 });
    await expect(restore(make())).rejects.toMatchObject({ kind: 'corrupt', code: 'repository.tree_damaged' });
    expect(readdirSync(folder).sort()).toEqual(['inner', 'secret', 'source']);
    expect(readdirSync(join(folder, 'inner'))).toEqual([]);
  });

  test('of a later format is not guessed at', async () => {
    await expect(restore({ ...forge([root]), root: { format: 2, segments: '' } })).rejects.toMatchObject({
      code: 'repository.tree_too_new',
    });
    await expect(restore({ ...forge([root]), kind: 'volume' })).rejects.toMatchObject({ code: 'repository.not_a_tree' });
  });
});

describe('what was restored is read back', () => {
  const partial = (): string => join(folder, 'inner', readdirSync(join(folder, 'inner'))[0] ?? '');
  beforeEach(() => {
    mkdirSync(join(source, 'd'));
    writeFileSync(join(source, 'd', 'file'), 'content');
    writeFileSync(join(source, 'large'), Buffer.alloc(5 << 20, 7));
  });

  test.each<[string, () => void, string]>([
    ['a changed byte', () => writeFileSync(join(partial(), 'd', 'file'), 'cOntent'), 'd/file'],
    ['a longer file', () => appendFileSync(join(partial(), 'd', 'file'), '!'), 'd/file'],
    ['a hole that is none', () => writeFileSync(join(partial(), 'large'), Buffer.alloc(5 << 20, 8)), 'large'],
    ['another mode', () => chmodSync(join(partial(), 'd', 'file'), 0o777), 'd/file'],
    ['another time', () => utimesSync(join(partial(), 'd', 'file'), 5, 5), 'd/file'],
    ['a missing file', () => rmSync(join(partial(), 'd', 'file')), 'd/file'],
  ])('%s is found, named, and nothing is put in place', async (_, tamper, path) => {
    const snapshot = await write();
    core.beforeTask = (name) => {
      if (name === 'tree.check-nodes') tamper();
    };
    const restoring = restore(snapshot);
    await expect(restoring).rejects.toMatchObject({ kind: 'corrupt', code: 'repository.digest_differs', details: { path } });
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(join(folder, 'inner'))).toEqual([]);
  });

  test.runIf(loadPosix().gaps.length === 0)('an attribute too many is found', async () => {
    const snapshot = await write();
    core.beforeTask = (name) => {
      if (name !== 'tree.check-nodes') return;
      loadPosix().setXattr(Buffer.from(join(partial(), 'large')), { name: Buffer.from('user.new'), value: Buffer.from('x') });
    };
    await expect(restore(snapshot)).rejects.toMatchObject({ code: 'repository.digest_differs', details: { path: 'large' } });
  });
});

test('a file of very many runs has its list in chunks of its own', async () => {
  const fd = openSync(join(source, 'holey'), 'w');
  for (let i = 0; i < 600; i++) writeSync(fd, `run ${i}`, i * 128 * 1024);
  closeSync(fd);
  const snapshot = await write();
  await restore(snapshot);
  expect(compareTrees(source, target)).toEqual([]);
  const ids = new Set<string>();
  for await (const id of listTreeChunks(core.source, snapshot, undefined)) ids.add(Buffer.from(id).toString('hex'));
  // Every chunk there is belongs to the snapshot: a collector that keeps what is listed keeps all of it.
  expect([...core.chunks.keys()].filter((id) => !ids.has(id))).toEqual([]);
  expect(ids.size).toBeGreaterThan(600);
});

describe.runIf(isRoot)('as an ordinary user', () => {
  const user = 65_534;
  afterEach(() => process.seteuid?.(0));

  test('everything but owners, devices and what only root may set comes back, and that is said', async () => {
    const posix = loadPosix();
    writeFileSync(join(source, 'of root'), 'x');
    chmodSync(join(source, 'of root'), 0o4755);
    writeFileSync(join(source, 'unreadable'), 'secret');
    chmodSync(join(source, 'unreadable'), 0o000);
    mkdirSync(join(source, 'closed'));
    writeFileSync(join(source, 'closed', 'file'), 'x');
    chmodSync(join(source, 'closed'), 0o000);
    posix.makeNode(Buffer.from(join(source, 'null')), 0o020666, 0x0103n);
    posix.makeNode(Buffer.from(join(source, 'fifo')), 0o010644, 0n);
    posix.setXattr(Buffer.from(join(source, 'of root')), { name: Buffer.from('trusted.a'), value: Buffer.from('1') });
    const snapshot = await write();
    chownSync(join(folder, 'inner'), user, user);
    chmodSync(folder, 0o755);
    process.seteuid?.(user);
    const restored = await restore(snapshot);
    process.seteuid?.(0);
    expect(restored.warnings).toHaveLength(3);
    expect(restored.warnings.join('\n')).toMatch(/Owners were not restored/);
    expect(restored.warnings.join('\n')).toMatch(/trusted\.a of of root was left out/);
    expect(restored.warnings.join('\n')).toMatch(/null was left out: .* character device/);
    const lines = compareTrees(source, target).filter((line) => line.startsWith('+'));
    expect(lines.find((line) => line.includes('of root'))).toContain('mode=100755');
    expect(lines.find((line) => line.includes('unreadable'))).toContain('mode=100000');
    expect(lines.find((line) => line.includes('"/closed"'))).toContain('mode=40000');
  });

  test('what may not be read is left out and named', async () => {
    writeFileSync(join(source, 'mine'), 'x');
    writeFileSync(join(source, 'hidden'), 'x');
    mkdirSync(join(source, 'closed'));
    writeFileSync(join(source, 'closed', 'file'), 'x');
    for (const name of ['hidden', 'closed']) chmodSync(join(source, name), 0o000);
    chmodSync(folder, 0o755);
    process.seteuid?.(user);
    const snapshot = await write();
    process.seteuid?.(0);
    expect([...snapshot.warnings].sort()).toEqual([
      'What is in closed was left out: the folder may not be read by this user (EACCES).',
      'hidden was left out: it may not be read by this user (EACCES).',
    ]);
    expect(snapshot.files).toBe(1);
  });
});
