import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Progress, Repository, WriteOptions } from '../../src/repository/contract.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createSeeded } from '../kit/seeded.ts';
import { compareTrees, describeTree, differences } from '../kit/tree-compare.ts';
import { makeSampleTree, makeSparse } from '../kit/tree-sample.ts';

let folder: string;
let repository: Repository;
let subject = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karri-tree-'));
  repository = await openRepository({
    store: createMemoryStore(),
    projectId: 'project',
    providerKey: Buffer.alloc(32, 1),
    create: true,
    log: silentLog,
    threads: 2,
    scratchFolder: join(folder, 'scratch'),
  });
});
afterAll(async () => {
  await repository.close();
  rmSync(folder, { recursive: true, force: true });
});

let source: string;
let target: string;
beforeEach(() => {
  subject++;
  source = join(folder, `source-${subject}`);
  target = join(folder, `target-${subject}`);
  mkdirSync(source);
});

const write = (input: { include?: string[]; exclude?: string[] } = {}, options: Partial<WriteOptions> = {}) =>
  repository.writeTree({ path: source, ...input }, { subject: `tree ${subject}`, ...options });
const restore = (id: string, path = target) => repository.restoreTree(id, { path }, {});
const names = (path: string): string[] => readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();

describe('a tree', () => {
  test('of everything comes back in every attribute', async () => {
    makeSampleTree(source);
    const before = describeTree(source);
    const progress: Progress[] = [];
    const written = await write({}, { onProgress: (step) => progress.push(step) });
    expect(written.warnings).toEqual([]);
    expect(progress.at(-1)).toMatchObject({ phase: 'write', doneBytes: written.sizeBytes, totalBytes: written.sizeBytes });
    const steps: Progress[] = [];
    const restored = await repository.restoreTree(written.id, { path: target }, { onProgress: (step) => steps.push(step) });
    expect(restored.warnings).toEqual([]);
    expect(differences(before, describeTree(target))).toEqual([]);
    expect(differences(before, describeTree(source))).toEqual([]);
    expect(restored).toMatchObject({ digest: written.digest, files: written.files, sizeBytes: written.sizeBytes });
    for (const phase of ['restore', 'verify'] as const) {
      const last = steps.findLast((step) => step.phase === phase);
      expect(last?.totalBytes).toBe(written.sizeBytes);
    }
    expect(steps.at(-1)?.doneBytes).toBe(written.sizeBytes);
    expect(readdirSync(folder).filter((name) => name.includes('.partial-'))).toEqual([]);
    expect(await repository.verifySnapshot(written.id, 100, {})).toMatchObject({ damages: [] });
  });

  test('has the same digest wherever and however often it is written', async () => {
    makeSampleTree(source);
    const first = await write();
    const again = await write({}, { readEverything: true });
    await restore(first.id);
    const elsewhere = await repository.writeTree({ path: target }, { subject: `elsewhere ${subject}` });
    expect(again.digest).toBe(first.digest);
    expect(elsewhere.digest).toBe(first.digest);
    utimesSync(join(source, 'a', 'file'), 1, 1);
    expect((await write()).digest).not.toBe(first.digest);
  });

  test('that is empty comes back as an empty folder, into an empty one too', async () => {
    const written = await write();
    expect(written).toMatchObject({ files: 0, sizeBytes: 0 });
    mkdirSync(target);
    await restore(written.id);
    expect(compareTrees(source, target)).toEqual([]);
  });

  test('with more nodes than may wait behind a large file is complete', async () => {
    writeFileSync(join(source, 'a large one'), createSeeded('holding up').bytes(140 << 20));
    for (let i = 0; i < 12_000; i++) {
      if (i % 1000 === 0) mkdirSync(join(source, `f${i / 1000}`));
      symlinkSync('anywhere', join(source, `f${Math.floor(i / 1000)}`, `${i}`));
    }
    const written = await write();
    await restore(written.id);
    expect(compareTrees(source, target)).toEqual([]);
  });

  test('leaves sockets out and says so', async () => {
    const server = createServer().listen(join(source, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    writeFileSync(join(source, 'file'), 'x');
    const written = await write();
    server.close();
    expect(written.warnings).toEqual(['socket is a socket and was left out.']);
    await restore(written.id);
    expect(names(target)).toEqual(['file']);
  });
});

describe('a second write', () => {
  const fillWith = (count: number): void => {
    const seeded = createSeeded(`second write ${subject}`);
    for (let i = 0; i < count; i++) {
      if (i % 50 === 0) mkdirSync(join(source, `f${i / 50}`));
      writeFileSync(join(source, `f${Math.floor(i / 50)}`, `file-${i}`), seeded.bytes(2000));
    }
    writeFileSync(join(source, 'large'), seeded.bytes(6 << 20));
  };

  test('of the same tree stores next to nothing', async () => {
    fillWith(500);
    const first = await write();
    await sleep(1100); // what changed in the last second is never trusted, and the clock is the file system's
    const second = await write();
    expect(second.digest).toBe(first.digest);
    expect(second.reusedBytes).toBe(first.sizeBytes);
    // Files that changed within the second before the first write are read again, and their nodes stored with full hints.
    expect(second.storedBytes).toBeLessThan(100_000);
    const third = await write();
    expect(third.storedBytes).toBeLessThan(5_000);
  });

  test('after changes stores what changed, and restores exactly', async () => {
    fillWith(500);
    await write();
    await write();
    writeFileSync(join(source, 'f3', 'file-160'), 'changed');
    writeFileSync(join(source, 'f3', 'new'), 'new');
    rmSync(join(source, 'f4', 'file-201'));
    renameSync(join(source, 'f5'), join(source, 'g5'));
    chmodSync(join(source, 'f6', 'file-300'), 0o600);
    const written = await write();
    expect(written.storedBytes).toBeLessThan(150_000);
    await restore(written.id);
    expect(compareTrees(source, target)).toEqual([]);
  });

  test('a file of the same size and time but other bytes is seen by its ctime', async () => {
    writeFileSync(join(source, 'file'), 'aaaa');
    utimesSync(join(source, 'file'), 1000, 1000);
    await write();
    writeFileSync(join(source, 'file'), 'bbbb');
    utimesSync(join(source, 'file'), 1000, 1000);
    await restore((await write()).id);
    expect(compareTrees(source, target)).toEqual([]);
  });

  test('an insertion into a large file stores a part of it', async () => {
    const data = createSeeded('large').bytes(24 << 20);
    writeFileSync(join(source, 'large'), data);
    await write();
    writeFileSync(
      join(source, 'large'),
      Buffer.concat([data.subarray(0, 9 << 20), Buffer.from('inserted'), data.subarray(9 << 20)]),
    );
    const written = await write();
    expect(written.storedBytes).toBeLessThan(9 << 20);
    await restore(written.id);
    expect(compareTrees(source, target)).toEqual([]);
  });
});

describe('filters', () => {
  beforeEach(() => {
    for (const path of ['data/keep', 'data/cache', 'other']) mkdirSync(join(source, path), { recursive: true });
    for (const path of ['data/a.txt', 'data/a.tmp', 'data/keep/b.tmp', 'data/cache/c', 'other/d.txt', 'e'])
      writeFileSync(join(source, path), path);
  });

  test('exclude leaves out', async () => {
    await restore((await write({ exclude: ['*.tmp', 'cache/', '!b.tmp', '/e'] })).id);
    expect(names(target)).toEqual(['data', 'data/a.txt', 'data/keep', 'data/keep/b.tmp', 'other', 'other/d.txt']);
  });

  test('include takes what it names and the folders that lead there', async () => {
    await restore((await write({ include: ['*.txt', '/data/cache'], exclude: ['other'] })).id);
    expect(names(target)).toEqual(['data', 'data/a.txt', 'data/cache', 'data/cache/c']);
  });
});

describe('sparse files', () => {
  test('of more than one piece keep their holes and cost what is in them', async () => {
    makeSparse(join(source, 'sparse'));
    const written = await write();
    expect(written.storedBytes).toBeLessThan(4 << 20);
    expect(written.sizeBytes).toBe(200 << 20);
    await restore(written.id);
    expect(compareTrees(source, target)).toEqual([]);
  });
});

describe('a restore', () => {
  test('refuses a target that holds something', async () => {
    const { id } = await write();
    mkdirSync(join(target, 'something'), { recursive: true });
    await expect(restore(id)).rejects.toMatchObject({ kind: 'conflict', code: 'repository.target_not_empty' });
    writeFileSync(join(folder, 'a file'), '');
    await expect(restore(id, join(folder, 'a file'))).rejects.toMatchObject({
      kind: 'conflict',
      code: 'repository.target_not_empty',
    });
  });

  test('says when the folder above is missing', async () => {
    const { id } = await write();
    await expect(restore(id, join(folder, 'missing', 'target'))).rejects.toMatchObject({
      kind: 'not-found',
      code: 'repository.file_failed',
    });
  });

  test('that is aborted leaves nothing behind', async () => {
    writeFileSync(join(source, 'file'), createSeeded('aborted').bytes(16 << 20));
    const { id } = await write();
    const abort = new AbortController();
    const restoring = repository.restoreTree(id, { path: target }, { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(restoring).rejects.toMatchObject({ code: 'base.cancelled' });
    expect(existsSync(target)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('.partial-'))).toEqual([]);
  });
});

describe('a write', () => {
  test('of something else than a folder is refused', async () => {
    writeFileSync(join(source, 'file'), '');
    const writeOf = (path: string) => repository.writeTree({ path }, { subject: 'none' });
    await expect(writeOf(join(source, 'file'))).rejects.toMatchObject({ kind: 'invalid', code: 'repository.not_a_folder' });
    await expect(writeOf(join(source, 'missing'))).rejects.toMatchObject({ kind: 'not-found', code: 'repository.file_failed' });
  });

  test('that is aborted ends', async () => {
    writeFileSync(join(source, 'file'), createSeeded('aborted').bytes(16 << 20));
    const abort = new AbortController();
    const writing = write({}, { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(writing).rejects.toMatchObject({ code: 'base.cancelled' });
    await expect(write({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'base.cancelled' });
  });
});
