import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { DamagedRange, Repository, SnapshotSummary } from '../../src/repository/contract.ts';
import { openRepository } from '../../src/repository/repository.ts';
import type { SnapshotRecord } from '../../src/repository/snapshots/record.ts';
import { segmentIds } from '../../src/repository/tree/reader.ts';
import { restoreTree } from '../../src/repository/tree/restorer.ts';
import { SegmentReader } from '../../src/repository/tree/segments.ts';
import { writeTree } from '../../src/repository/tree/writer.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { createInlineCore } from '../kit/inline-core.ts';
import { createSeeded } from '../kit/seeded.ts';
import { storeKeys } from '../kit/store-keys.ts';

let folder: string;
let source: string;
let target: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'karri-salvage-'));
  source = join(folder, 'source');
  target = join(folder, 'target');
  mkdirSync(source);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What is not as in the source and was not said to be lost; lost ranges have to read as zeros. */
function listLies(damaged: readonly DamagedRange[]): string[] {
  const lies: string[] = [];
  for (const path of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!statSync(join(source, path)).isFile()) continue;
    const own = damaged.filter((range) => range.path === path);
    if (!existsSync(join(target, path))) {
      lies.push(`${path} is not there`);
      continue;
    }
    const wanted = Buffer.from(readFileSync(join(source, path)));
    for (const { offset, length } of own) wanted.fill(0, offset, offset + length);
    if (!readFileSync(join(target, path)).equals(wanted)) lies.push(`${path} differs`);
    const [was, is] = [lstatSync(join(source, path)), lstatSync(join(target, path))];
    if (was.mode !== is.mode || was.mtimeMs !== is.mtimeMs) lies.push(`${path} has another mode or time`);
  }
  return lies;
}

describe('a damaged bank', () => {
  let store: ObjectStore;
  const open = (): Promise<Repository> =>
    openRepository({
      store,
      projectId: 'project',
      providerKey: Buffer.alloc(32, 1),
      create: true,
      log: silentLog,
      threads: 2,
      scratchFolder: join(folder, 'scratch'),
    });

  /** Some 15 MiB that do not compress: small files, one of many chunks, one with holes, two names of one. */
  async function write(): Promise<SnapshotSummary> {
    const random = createSeeded('salvage');
    for (let i = 0; i < 60; i++) {
      const parent = join(source, `folder ${i % 7}`);
      mkdirSync(parent, { recursive: true });
      writeFileSync(join(parent, `file ${i}`), random.bytes(20_000 + i * 1000));
    }
    writeFileSync(join(source, 'large'), random.bytes(12 << 20));
    writeFileSync(join(source, 'sparse'), random.bytes(3 << 20));
    truncateSync(join(source, 'sparse'), 9 << 20);
    linkSync(join(source, 'large'), join(source, 'the same'));
    // What the tree itself says stays whole: it is in a pack of its own.
    const repository = await open();
    await repository.writeTree({ path: source }, { subject: 'tree' });
    await repository.close();
    const before = new Set(await storeKeys(store, 'packs/'));
    writeFileSync(join(source, 'one more'), 'x');
    const again = await open();
    const written = await again.writeTree({ path: source }, { subject: 'tree' });
    await again.close();
    content = [...before];
    return written;
  }
  let content: string[];

  async function damage(key: string, how: 'flip' | 'cut' | 'remove'): Promise<void> {
    const bytes = await store.get(key);
    await store.delete([key]);
    if (how === 'remove') return;
    if (how === 'cut') await store.put(key, bytes.subarray(0, bytes.length / 2));
    else {
      for (let at = 1000; at < bytes.length; at += 3 << 20) bytes[at] = (bytes[at] ?? 0) ^ 1;
      await store.put(key, bytes);
    }
  }

  test.each(['flip', 'cut', 'remove'] as const)('(%s) gives every good byte and a list of the bad ones', async (how) => {
    store = createMemoryStore();
    const written = await write();
    const { id } = written;
    const [first] = content;
    await damage(first ?? '', how);
    const repository = await open();
    try {
      await expect(repository.restoreTree(id, { path: target }, {})).rejects.toMatchObject({
        kind: 'corrupt',
        details: { object: first },
      });
      expect(existsSync(target)).toBe(false);

      const { damaged, digest } = await repository.restoreTree(id, { path: target }, { salvage: true });
      expect(damaged.length).toBeGreaterThan(0);
      expect(damaged.every(({ reason }) => reason.includes(first ?? ''))).toBe(true);
      const again = await repository.restoreTree(id, { path: `${target}-2` }, { salvage: true });
      expect(again).toMatchObject({ damaged, digest });
      expect(digest).not.toBe(written.digest);
      expect(listLies(damaged)).toEqual([]);
      // Not more is given up than what lay in the pack.
      const lostBytes = damaged.filter(({ path }) => path !== 'the same').reduce((sum, { length }) => sum + length, 0);
      expect(lostBytes).toBeLessThan(17 << 20);
      if (how === 'flip') expect(damaged.length).toBeLessThan(100);
      const large = damaged.filter(({ path }) => path === 'large').map(({ offset, length }) => [offset, length]);
      expect(damaged.filter(({ path }) => path === 'the same').map(({ offset, length }) => [offset, length])).toEqual(large);
    } finally {
      await repository.close();
    }
  });

  test('that is whole for this tree is restored as ever', async () => {
    store = createMemoryStore();
    const { id } = await write();
    const repository = await open();
    try {
      const plain = await repository.restoreTree(id, { path: `${target}-plain` }, {});
      const salvaged = await repository.restoreTree(id, { path: target }, { salvage: true });
      expect(salvaged).toEqual(plain);
      expect(salvaged.damaged).toEqual([]);
    } finally {
      await repository.close();
    }
  });
});

describe('a lost part of the tree', () => {
  test.each(['first', 'middle', 'last'] as const)('(the %s) is named, and all else restored', async (which) => {
    const core = createInlineCore();
    // Links with long targets make large segments of few nodes.
    const names = Array.from(
      { length: 1500 },
      (_, i) => `folder ${String(i >> 7).padStart(2, '0')}/link ${String(i).padStart(4, '0')}`,
    );
    for (const [i, name] of names.entries()) {
      if ((i & 127) === 0) mkdirSync(join(source, name, '..'));
      if (i === 0) writeFileSync(join(source, name), 'a file');
      else symlinkSync('x'.repeat(900), join(source, name));
    }
    const last = names.at(-1) ?? '';
    linkSync(join(source, names[0] ?? ''), join(source, 'z'));
    const { id } = await writeTree(core, { path: source }, { subject: 'tree' });
    const snapshot: SnapshotRecord = await core.getSnapshot(id, undefined);
    const ids = segmentIds(snapshot);
    const count = ids.length / 32;
    expect(count).toBeGreaterThan(2);
    const number = which === 'first' ? 0 : which === 'last' ? count - 1 : count >> 1;
    const key = Buffer.from(ids.subarray(number * 32, number * 32 + 32)).toString('hex');
    const lost: string[] = [];
    const reader = new SegmentReader(core.chunks.get(key) ?? Buffer.alloc(0));
    while (reader.next()) lost.push(reader.path);
    core.chunks.delete(key);

    await expect(restoreTree(core, snapshot, { path: target }, {})).rejects.toMatchObject({ code: 'repository.chunk_absent' });
    const { damaged, digest } = await restoreTree(core, snapshot, { path: target }, { salvage: true });
    expect(digest).not.toBe(snapshot.digest);
    const there = new Set(readdirSync(target, { recursive: true, encoding: 'utf8' }));
    const isThere = (name: string): boolean => there.has(name);
    const lostFiles = new Set(lost);
    expect(names.filter((name) => !lostFiles.has(name)).every(isThere)).toBe(true);
    expect(names.filter((name) => lostFiles.has(name)).some(isThere)).toBe(false);
    const parts = damaged.filter(({ reason }) => reason.includes('nothing is known of the tree'));
    expect(parts).toHaveLength(1);
    if (which !== 'last') expect(parts[0]?.reason).toContain(lost.at(-1));
    // Folders of the lost part that are needed by others are made, and said to be no more than that.
    const standIns = damaged.filter(({ reason }) => reason.includes('of the folder are lost')).map(({ path }) => path);
    expect(standIns.every((path) => lostFiles.has(path === '.' ? '' : path))).toBe(true);
    if (which === 'first') {
      expect(standIns).toContain('.');
      expect(damaged.find(({ path }) => path === 'z')?.reason).toContain(names[0]);
      expect(isThere('z')).toBe(false);
    } else if (which === 'middle') expect(lstatSync(join(target, 'z')).ino).toBe(lstatSync(join(target, names[0] ?? '')).ino);
    expect(isThere(last)).toBe(which !== 'last');
  });
});
