import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { fileFault } from '../../../../plugins/banks/filesystem/errors.ts';
import { openFilesystemStore } from '../../../../plugins/banks/filesystem/filesystem-store.ts';
import { temporaryName, thisWriter, type Writer } from '../../../../plugins/banks/filesystem/writers.ts';
import { createMemoryStore } from '../../../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../../../src/storage/object-store.ts';
import { storeKeys } from '../../../kit/store-keys.ts';

const folder = await mkdtemp(join(tmpdir(), 'karri-bank-'));
afterAll(() => rm(folder, { recursive: true }));
let number = 0;
let root: string;
let store: ObjectStore;
beforeEach(async () => {
  root = join(folder, `bank-${number++}`);
  store = await openFilesystemStore(root);
});

const body = Buffer.from('bytes');

describe('what is stored', () => {
  test('lies under its key and nothing lies beside it', async () => {
    await store.put('packs/aa/one', body);
    await store.put('packs/aa/two', body, { ifAbsent: true });
    await expect(store.put('packs/aa/two', body, { ifAbsent: true })).rejects.toMatchObject({ code: 'storage.exists' });
    expect((await readdir(root, { recursive: true })).sort()).toEqual([
      '+writing',
      'packs',
      'packs/aa',
      'packs/aa/one',
      'packs/aa/two',
    ]);
  });

  test('is found by another opening of the same folder', async () => {
    await store.put('a/b', body);
    const other = await openFilesystemStore(root);
    expect(await storeKeys(other)).toEqual(['a/b']);
    await expect(other.put('a/b', body, { ifAbsent: true })).rejects.toMatchObject({ code: 'storage.exists' });
  });

  test('beside names that are no keys, which are not ours and never listed', async () => {
    await store.put('a', body);
    await mkdir(join(root, 'lost+found'));
    await writeFile(join(root, 'lost+found', 'a'), 'x');
    await writeFile(join(root, 'read me.txt'), 'x');
    expect(await storeKeys(store)).toEqual(['a']);
  });

  test('cannot be a folder and an object at once', async () => {
    await store.put('a/b', body);
    for (const options of [{}, { ifAbsent: true }]) {
      await expect(store.put('a', body, options)).rejects.toMatchObject({ code: 'storage.bad_key' });
      await expect(store.put('a/b/c', body, options)).rejects.toMatchObject({ code: 'storage.bad_key' });
    }
    expect(await storeKeys(store)).toEqual(['a/b']);
    expect(await readdir(join(root, '+writing'))).toEqual([]);
  });

  test('and cut short later is told from what is missing', async () => {
    await store.put('a', body);
    await truncate(join(root, 'a'), 3);
    await expect(store.get('a', { range: { offset: 0, length: 5 } })).rejects.toMatchObject({
      code: 'storage.short',
      kind: 'corrupt',
    });
  });
});

test('a listing gives what the plainest store gives, whatever the keys, the prefix and the start', async () => {
  // Few letters around the slash (`.` and `-` before it, `0` behind it), so that folders and files stand side by side.
  const name = fc.string({ unit: fc.constantFrom(...'a0-_'), minLength: 1, maxLength: 2 });
  const key = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  await fc.assert(
    fc.asyncProperty(fc.array(key, { maxLength: 12 }), key, key, async (keys, prefix, startAfter) => {
      const model = createMemoryStore();
      const bank = await openFilesystemStore(join(folder, `model-${number++}`));
      for (const one of keys) {
        const stored = await bank.put(one, body).then(
          () => true,
          () => false,
        );
        if (stored) await model.put(one, body);
      }
      for (const options of [{}, { startAfter }]) {
        for (const wanted of ['', prefix, `${prefix}/`])
          expect(await storeKeys(bank, wanted, options)).toEqual(await storeKeys(model, wanted, options));
      }
    }),
    { numRuns: 40 },
  );
});

describe('a bank that is not there', () => {
  test('is made when its parent exists, and named when it does not', async () => {
    await (await openFilesystemStore(join(root, 'inner'))).close();
    await expect(openFilesystemStore(join(root, 'no', 'parent'))).rejects.toMatchObject({ code: 'storage.no_bank' });
    await store.put('file', body);
    await expect(openFilesystemStore(join(root, 'file'))).rejects.toMatchObject({ code: 'storage.no_bank' });
  });

  test('because it was unmounted is not a bank without objects, and is not made anew', async () => {
    await store.put('a', body);
    await rename(root, `${root}-moved`);
    await mkdir(root);
    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      put: () => store.put('b/c', body),
      get: () => store.get('a'),
      stat: () => store.stat('a'),
      list: () => storeKeys(store),
      delete: () => store.delete(['a']),
    };
    for (const [name, call] of Object.entries(calls)) {
      await expect(call(), name).rejects.toMatchObject({ code: 'storage.no_bank', details: { path: root } });
    }
    expect(await readdir(root)).toEqual([]);
    await rm(root, { recursive: true });
    await rename(`${root}-moved`, root);
    expect((await store.get('a')).toString()).toBe('bytes');
  });
});

describe('trouble', () => {
  test.each([
    ['ENOSPC', 'storage.full', 'never'],
    ['EDQUOT', 'storage.full', 'never'],
    ['EACCES', 'storage.refused', 'never'],
    ['EROFS', 'storage.refused', 'never'],
    ['EIO', 'storage.failed', 'later'],
    ['ENOENT', 'storage.missing', 'never'],
  ])('%s is the fault %s', (errno, code, retry) => {
    const fault = fileFault(Object.assign(new Error(errno), { code: errno }), '/bank', 'a/b');
    expect(fault).toMatchObject({ code, retry });
    expect(fault.message).toContain('a/b');
  });

  test.skipIf(process.getuid?.() === 0)('a folder without rights is named (as root there is none)', async () => {
    await store.put('a/b', body);
    await chmod(join(root, 'a'), 0o500);
    await expect(store.put('a/c', body)).rejects.toMatchObject({ code: 'storage.refused' });
    await chmod(join(root, 'a'), 0o700);
  });
});

describe('leftovers', () => {
  async function leave(writer: Writer): Promise<string> {
    const name = temporaryName(writer);
    await writeFile(join(root, '+writing', name), 'half');
    return name;
  }

  test('of the dead go with the next opening; those of the living and of other machines stay', async () => {
    const self = await thisWriter();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    const dead = { ...self, pid: child.pid ?? 0 };
    await leave(dead);
    await leave({ ...self, boot: '00000000' });
    await leave({ ...self, began: '1' });
    const living = await leave(self);
    const elsewhere = await leave({ ...dead, machine: '00000000' });
    const container = await leave({ ...dead, namespace: '1' });
    await writeFile(join(root, '+writing', 'not ours'), '');
    await openFilesystemStore(root);
    expect((await readdir(join(root, '+writing'))).sort()).toEqual([container, elsewhere, living, 'not ours'].sort());
    expect(await storeKeys(store)).toEqual([]);
  });

  test('of a writer that was killed in the middle of a put are never seen as an object, and go', async () => {
    const script = `
      import { openFilesystemStore } from ${JSON.stringify(join(import.meta.dirname, '../../../../plugins/banks/filesystem/filesystem-store.ts'))};
      const store = await openFilesystemStore(${JSON.stringify(root)});
      process.stdout.write('writing');
      for (let n = 0; ; n++) await store.put('victim/' + n, Buffer.alloc(3_000_000, 1));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: join(import.meta.dirname, '../../../..'),
    });
    const gone = once(child, 'exit');
    await once(child.stdout, 'data');
    while ((await readdir(join(root, '+writing'))).length === 0) await new Promise(setImmediate);
    child.kill('SIGKILL');
    await gone;
    const again = await openFilesystemStore(root);
    expect(await readdir(join(root, '+writing'))).toEqual([]);
    for await (const { key, sizeBytes } of again.list('')) expect([key, sizeBytes]).toEqual([key, 3_000_000]);
  });
});
