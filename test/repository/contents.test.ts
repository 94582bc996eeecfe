import { linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../src/base/faults.ts';
import type { Repository, TreeEntry } from '../../src/repository/contract.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { changeStore, createFolder, openTestRepository } from '../kit/repositories.ts';
import { createSeeded } from '../kit/seeded.ts';
import { makeSampleTree, makeSparse } from '../kit/tree-sample.ts';

const folder = createFolder();
const sample = folder.file('sample');
const many = folder.file('many');
const image = folder.file('image');
const MiB = 1 << 20;

let gets = 0;
let beforeGet: () => Promise<void> = async () => undefined;
const memory = createMemoryStore();
const store: ObjectStore = changeStore(memory, {
  get: async (key, options) => {
    gets++;
    await beforeGet();
    if (options?.signal?.aborted) throw new Fault('cancelled', 'base.cancelled', 'The work was cancelled.');
    return memory.get(key, options);
  },
});
let repository: Repository;
const ids = { sample: '', many: '', image: '' };

beforeAll(async () => {
  repository = await openTestRepository(store);
  mkdirSync(sample);
  makeSampleTree(sample);
  ids.sample = (await repository.writeTree({ path: sample }, { subject: 'sample' })).id;
  // Long names, so that few files make many segments.
  for (let f = 0; f < 40; f++) {
    mkdirSync(join(many, `folder ${String(f).padStart(2, '0')}`), { recursive: true });
    for (let i = 0; i < 100; i++)
      symlinkSync(
        't'.repeat(800),
        join(many, `folder ${String(f).padStart(2, '0')}`, `${String(i).padStart(3, '0')} ${'n'.repeat(150)}`),
      );
  }
  ids.many = (await repository.writeTree({ path: many }, { subject: 'many' })).id;
  makeSparse(image);
  ids.image = (await repository.writeVolume({ path: image }, { subject: 'image' })).id;
}, 60_000);
afterAll(async () => {
  await repository.close();
  folder[Symbol.dispose]();
});

const path = (text: string): Buffer => Buffer.from(text);
const text = ({ path: bytes }: TreeEntry): string => bytes.toString('latin1');
const list = (of: keyof typeof ids, where: string, more: { recursive?: boolean; startAfter?: Uint8Array; limit?: number } = {}) =>
  repository.listTree(ids[of], { folder: path(where), limit: 100_000, ...more }, {});

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

async function pages(of: keyof typeof ids, where: string, limit: number, recursive: boolean): Promise<TreeEntry[]> {
  const all: TreeEntry[] = [];
  for (;;) {
    const last = all.at(-1)?.path;
    const page = await list(of, where, { limit, recursive, ...(last && { startAfter: last }) });
    all.push(...page);
    if (page.length < limit) return all;
  }
}

describe('a list', () => {
  test('of the root holds its entries, in the order of their bytes, with all that is known of them', async () => {
    const entries = await list('sample', '');
    const names = entries.map(text);
    expect(names).toEqual([...names].sort());
    expect(names).toEqual(
      expect.arrayContaining(['a', 'a-b', 'grÃ¼Ã\u009fe-æ\u0097¥æ\u009c¬', 'not-utf8-ÿÃ(', 'nine MiB', 'link']),
    );
    expect(names.filter((name) => name.includes('/'))).toEqual([]);
    const nine = entries.find((entry) => text(entry) === 'nine MiB');
    const { mode, uid, gid, mtimeNs } = lstatSync(join(sample, 'nine MiB'), { bigint: true });
    // Its first name in tree order is a/large too.
    expect(nine).toMatchObject({ type: 'hardlink', target: path('a/large too') });
    const first = (await list('sample', 'a')).find((entry) => text(entry) === 'a/large too');
    expect(first).toMatchObject({
      type: 'file',
      sizeBytes: 9 * MiB,
      uid: Number(uid),
      gid: Number(gid),
      mtimeNs,
      mode: Number(mode) & 0o7777,
    });
    expect(entries.find((entry) => text(entry) === 'link')).toMatchObject({ type: 'symlink', target: path('a/file') });
  });

  test('is the same in one page and in many, flat and recursive', async () => {
    for (const recursive of [false, true]) {
      const whole = (await list('sample', '', { recursive })).map(text);
      expect((await pages('sample', '', 7, recursive)).map(text)).toEqual(whole);
    }
    const all = (await list('many', '', { recursive: true })).map(text);
    expect(all).toHaveLength(40 + 40 * 100);
    expect((await pages('many', '', 499, true)).map(text)).toEqual(all);
    expect((await list('many', 'folder 17')).map(text)).toEqual(all.filter((each) => each.startsWith('folder 17/')));
  });

  test.each<[string, string, string]>([
    ['nowhere', 'repository.path_absent', 'nowhere is not in the snapshot'],
    ['a/../a', 'repository.path_absent', 'is not in the snapshot'],
    ['a/b/many-7', 'repository.not_a_folder', 'a/b/many-7 is a file, not a folder'],
    ['link to folder', 'repository.not_a_folder', 'is a symlink to a, not a folder'],
  ])('of %s is %s', async (where, code, message) => {
    await expect(list('sample', where)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('that goes on after what is not in the folder is refused', async () => {
    for (const startAfter of ['a/nothing', 'a-b', 'a/b/many-1'])
      await expect(list('sample', 'a', { startAfter: path(startAfter) })).rejects.toMatchObject({
        code: 'repository.path_absent',
      });
  });

  test('of a volume is refused', async () => {
    await expect(list('image', '')).rejects.toMatchObject({ code: 'repository.not_a_tree' });
  });
});

describe('a file', () => {
  const read = async (where: Uint8Array, offset?: number, length?: number): Promise<Buffer> => {
    const file = await repository.getFile(ids.sample, where, {});
    return collect(file.read({ offset: offset ?? 0, length: length ?? file.sizeBytes }, {}));
  };

  test.each([
    'a/file',
    'z same file',
    'one MiB',
    'nine MiB',
    'a/large too',
    'empty',
    'x'.repeat(255),
    'a/b/many-0',
    'a/b/many-299',
  ])('%s is read whole', async (name) => {
    expect((await read(path(name))).equals(readFileSync(join(sample, name)))).toBe(true);
  });

  test('whose name is no UTF-8 is read', async () => {
    const raw = Buffer.concat([path('not-utf8-'), Buffer.from([0xff, 0xc3, 0x28])]);
    expect(String(await read(raw))).toBe('raw bytes');
    expect(String(await read(Buffer.concat([path('folder-'), Buffer.from([0xfe]), path('/in it')])))).toBe('x');
  });

  test('is read in any range, holes as zeros', async () => {
    const seeded = createSeeded('ranges');
    const below = (limit: number): number => Math.floor(seeded.fraction() * limit);
    for (const name of ['nine MiB', 'sparse']) {
      const bytes = readFileSync(join(sample, name));
      for (let i = 0; i < 8; i++) {
        const offset = below(bytes.length);
        const length = below(Math.min(bytes.length - offset, 5 * MiB) + 1);
        expect((await read(path(name), offset, length)).equals(bytes.subarray(offset, offset + length))).toBe(true);
      }
      expect(await read(path(name), bytes.length, 0)).toHaveLength(0);
    }
  });

  test('has a content id of its bytes, not of its name', async () => {
    const id = async (name: string) => (await repository.getFile(ids.sample, path(name), {})).contentId;
    expect(await id('a/file')).toBe(await id('a-b/file'));
    expect(await id('z same file')).toBe(await id('a/file'));
    expect(await id('one MiB')).not.toBe(await id('nine MiB'));
    expect(await id('empty')).not.toBe(await id('sparse'));
  });

  test.each<[string, string]>([
    ['a', 'repository.not_a_file'],
    ['link', 'repository.not_a_file'],
    ['', 'repository.not_a_file'],
    ['nowhere', 'repository.path_absent'],
    ['a/file/x', 'repository.path_absent'],
  ])('%s is %s', async (name, code) => {
    await expect(repository.getFile(ids.sample, path(name), {})).rejects.toMatchObject({ code });
  });

  test.each([
    [-1, 1],
    [0, 6],
    [6, 0],
    [0.5, 1],
    [0, Number.NaN],
  ])('has no range %d, %d', async (offset, length) => {
    const file = await repository.getFile(ids.sample, path('a/file'), {});
    expect(() => file.read({ offset, length }, {})).toThrow(expect.objectContaining({ code: 'repository.bad_range' }));
  });
});

describe('a volume', () => {
  test('is streamed whole and in ranges', async () => {
    const bytes = readFileSync(image);
    const volume = await repository.getVolume(ids.image, {});
    expect(volume.sizeBytes).toBe(bytes.length);
    expect((await collect(volume.read({ offset: 0, length: bytes.length }, {}))).equals(bytes)).toBe(true);
    for (const [offset, length] of [
      [MiB - 1, 2],
      [MiB + 5, 3 * MiB],
      [100 * MiB, 1],
      [150 * MiB, MiB],
      [bytes.length, 0],
    ] as const)
      expect((await collect(volume.read({ offset, length }, {}))).equals(bytes.subarray(offset, offset + length))).toBe(true);
  });

  test('of a tree is refused', async () => {
    await expect(repository.getVolume(ids.sample, {})).rejects.toMatchObject({ code: 'repository.not_a_volume' });
  });

  test('stops at once when the signal fires, in the middle too', async () => {
    const volume = await repository.getVolume(ids.image, {});
    const controller = new AbortController();
    const stream = volume.read({ offset: 0, length: volume.sizeBytes }, { signal: controller.signal })[Symbol.asyncIterator]();
    await stream.next();
    controller.abort();
    await expect(stream.next()).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test('asks for nothing more once its reader has stopped', async () => {
    const volume = await repository.getVolume(ids.image, {});
    for await (const part of volume.read({ offset: 0, length: volume.sizeBytes }, {})) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    const after = gets;
    await new Promise((resolve) => setImmediate(resolve));
    expect(gets).toBe(after);
  });

  test('that is damaged is told where the damage is met', async () => {
    const volume = await repository.getVolume(ids.image, {});
    beforeGet = () => Promise.reject(new Fault('corrupt', 'storage.damaged', 'The object has changed.'));
    try {
      await expect(collect(volume.read({ offset: MiB, length: MiB }, {}))).rejects.toMatchObject({
        code: 'repository.pack_damaged',
      });
    } finally {
      beforeGet = async () => undefined;
    }
  });
});

describe('a tree', () => {
  async function readAll(where: string): Promise<{ entry: TreeEntry; bytes: Buffer }[]> {
    const found: { entry: TreeEntry; parts: Buffer[] }[] = [];
    for await (const part of repository.readTree(ids.sample, path(where), {})) {
      if (Buffer.isBuffer(part)) found.at(-1)?.parts.push(part);
      else found.push({ entry: part, parts: [] });
    }
    return found.map(({ entry, parts }) => ({ entry, bytes: Buffer.concat(parts) }));
  }

  test('is read with the bytes of every file behind it', async () => {
    const all = await readAll('');
    expect(all.map(({ entry }) => entry).slice(1)).toEqual(await list('sample', '', { recursive: true }));
    expect(text(all[0]!.entry)).toBe('');
    for (const { entry, bytes } of all) {
      expect([text(entry), bytes.length]).toEqual([text(entry), entry.sizeBytes]);
      if (entry.type === 'file') expect(bytes.equals(readFileSync(Buffer.concat([path(`${sample}/`), entry.path])))).toBe(true);
    }
  });

  test('below a folder is complete: links to what lies outside come as files, once', async () => {
    writeFileSync(join(sample, 'before'), 'kept under this name');
    mkdirSync(join(sample, 'later'));
    for (const name of ['one', 'two']) linkSync(join(sample, 'before'), join(sample, 'later', name));
    const { id } = await repository.writeTree({ path: sample }, { subject: 'linked' });
    const found: (TreeEntry | string)[] = [];
    for await (const part of repository.readTree(id, path('later'), {})) found.push(Buffer.isBuffer(part) ? String(part) : part);
    expect(found).toMatchObject([
      { path: path('later'), type: 'folder' },
      { path: path('later/one'), type: 'file', sizeBytes: 20 },
      'kept under this name',
      { path: path('later/two'), type: 'hardlink', target: path('later/one') },
    ]);
  });

  test('of a file, and of nothing, is refused', async () => {
    await expect(readAll('a/file')).rejects.toMatchObject({ code: 'repository.not_a_folder' });
    await expect(readAll('nowhere')).rejects.toMatchObject({ code: 'repository.path_absent' });
  });
});
