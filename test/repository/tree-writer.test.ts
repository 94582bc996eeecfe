import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SnapshotSummary } from '../../src/repository/contract.ts';
import { restoreTree } from '../../src/repository/tree/restorer.ts';
import { writeTree } from '../../src/repository/tree/writer.ts';
import { createInlineCore, type InlineCore } from '../kit/inline-core.ts';
import { compareTrees, describeTree, differences } from '../kit/tree-compare.ts';

let folder: string;
let source: string;
let target: string;
let core: InlineCore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'karri-tree-writer-'));
  source = join(folder, 'source');
  target = join(folder, 'target');
  mkdirSync(source);
  core = createInlineCore();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(source, name);
const write = (): Promise<SnapshotSummary> => writeTree(core, { path: source }, { subject: 'tree' });
const restore = async (id: string): Promise<void> => {
  await restoreTree(core, await core.getSnapshot(id, undefined), { path: target }, {});
};
/** Does something once, right before the first task of that name. */
const once = (task: string, action: () => void): void => {
  core.beforeTask = (name) => {
    if (name !== task) return;
    core.beforeTask = () => undefined;
    action();
  };
};

describe('while a tree is read', () => {
  test('a file that changes once is read again', async () => {
    writeFileSync(at('log'), 'one');
    core.beforeStore = () => {
      core.beforeStore = () => undefined;
      appendFileSync(at('log'), ' two');
    };
    const written = await write();
    expect(written.warnings).toEqual([]);
    expect(written.sizeBytes).toBe(7);
    await restore(written.id);
    expect(compareTrees(source, target, { times: false })).toEqual([]);
  });

  test('a file that keeps changing is kept as read, named, and read again by the next write', async () => {
    writeFileSync(at('log'), 'one');
    core.beforeStore = () => appendFileSync(at('log'), '+');
    const written = await write();
    expect(written.warnings).toEqual(['log changed while it was read, twice: it was kept as it was read.']);
    core.beforeStore = () => undefined;
    await restore(written.id);
    expect(statSync(join(target, 'log')).size).toBe(4);
    const again = await write();
    expect(again.warnings).toEqual([]);
    expect(again.sizeBytes).toBe(5);
  });

  test('a file that shrinks is kept as far as it was there', async () => {
    writeFileSync(at('shrinking'), Buffer.alloc(9 << 20, 1));
    let size = 9 << 20;
    core.beforeStore = () => {
      size -= 3 << 20;
      truncateSync(at('shrinking'), Math.max(size, 0));
    };
    const written = await write();
    expect(written.warnings).toEqual(['shrinking changed while it was read, twice: it was kept as it was read.']);
    await restore(written.id);
    expect(statSync(join(target, 'shrinking')).size).toBe(written.sizeBytes);
  });

  test('a file that vanishes is left out and named', async () => {
    writeFileSync(at('gone'), 'x');
    writeFileSync(at('stays'), 'x');
    once('tree.read-files', () => rmSync(at('gone')));
    const written = await write();
    expect(written).toMatchObject({ files: 1, warnings: ['gone was left out: it vanished while the tree was read.'] });
    await restore(written.id);
    expect(compareTrees(source, target, { times: false })).toEqual([]);
  });

  test.each([
    ['a link', () => symlinkSync('/etc/passwd', at('victim')), 'victim was left out: it became a link while the tree was read.'],
    [
      'a folder',
      () => mkdirSync(at('victim')),
      'victim was left out: it became something else than a file while the tree was read.',
    ],
  ])('a file that becomes %s is left out and named', async (_, replace, line) => {
    writeFileSync(at('victim'), 'x');
    once('tree.read-files', () => {
      rmSync(at('victim'));
      replace();
    });
    expect((await write()).warnings).toEqual([line]);
  });

  test('another name takes the place of a hard link whose first name vanished', async () => {
    writeFileSync(at('a'), 'content');
    linkSync(at('a'), at('b'));
    linkSync(at('a'), at('c'));
    once('tree.read-files', () => rmSync(at('a')));
    const written = await write();
    expect(written).toMatchObject({ files: 2, sizeBytes: 7, warnings: ['a was left out: it vanished while the tree was read.'] });
    await restore(written.id);
    expect(compareTrees(source, target, { times: false })).toEqual([]);
  });

  test('a large file that is cut short is kept as far as it was there', async () => {
    writeFileSync(at('large'), 'x');
    truncateSync(at('large'), 300 << 20);
    writeFileSync(at('large'), 'end', { flag: 'r+', flush: true });
    let size = 300 << 20;
    core.beforeStore = () => {
      size -= 100 << 20;
      truncateSync(at('large'), size);
    };
    const written = await write();
    expect(written.warnings).toEqual(['large changed while it was read, twice: it was kept as it was read.']);
    await restore(written.id);
    expect(statSync(join(target, 'large')).size).toBe(written.sizeBytes);
  });
});

describe('the parent snapshot', () => {
  const fill = (): void => {
    for (let i = 0; i < 100; i++) writeFileSync(at(`file-${i}`), `content ${i}`);
  };

  const writeLater = (hours: number): Promise<SnapshotSummary> =>
    writeTree(
      core,
      { path: source },
      { subject: 'tree' },
      { now: () => Date.parse('2999-01-01') + hours * 3_600_000, monotonic: () => 0 },
    );

  test('is taken over unread where nothing changed', async () => {
    fill();
    const first = await writeLater(0);
    core.beforeTask = (name) => expect(name).not.toBe('tree.read-files');
    const second = await writeLater(1);
    expect(second).toMatchObject({ digest: first.digest, files: 100 });
  });

  test('is not trusted about files that had changed within the second before it', async () => {
    fill();
    await write();
    let reads = 0;
    core.beforeTask = (name) => {
      if (name === 'tree.read-files') reads++;
    };
    await write();
    expect(reads).toBe(1);
  });

  test('whose segments are lost is told, and everything is read', async () => {
    fill();
    await write();
    const { segments } = core.snapshots[0]!.root as { segments: string };
    core.chunks.delete(segments.slice(0, 64));
    const written = await write();
    expect(written.warnings).toHaveLength(1);
    expect(written.warnings[0]).toContain('everything was read anew');
    await restore(written.id);
    expect(compareTrees(source, target, { times: false })).toEqual([]);
  });

  test('whose chunks are lost is not trusted: the files are stored again', async () => {
    fill();
    await write();
    const before = new Map(core.chunks);
    const lost = core.digest(Buffer.from('content 7')).toString('hex');
    expect(core.chunks.delete(lost)).toBe(true);
    const written = await write();
    expect(written.warnings).toEqual([]);
    expect(core.chunks.get(lost)).toEqual(before.get(lost));
    await restore(written.id);
    expect(differences(describeTree(source), describeTree(target))).toEqual([]);
  });
});
