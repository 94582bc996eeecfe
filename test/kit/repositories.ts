import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Repository, RepositoryOptions } from '../../src/repository/contract.ts';
import { openRepository } from '../../src/repository/repository.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

export const testProjectId = '7e57ab1e00000000000000000000beef';
export const testProviderKey = createHash('sha256').update('provider key of the tests').digest();

export function openTestRepository(store: ObjectStore, options: Partial<RepositoryOptions> = {}): Promise<Repository> {
  return openRepository({
    store,
    projectId: testProjectId,
    providerKey: testProviderKey,
    create: true,
    log: silentLog,
    threads: 2,
    scratchFolder: tmpdir(),
    ...options,
  });
}

export async function withRepository<T>(
  store: ObjectStore,
  work: (repository: Repository) => Promise<T>,
  options?: Partial<RepositoryOptions>,
): Promise<T> {
  const repository = await openTestRepository(store, options);
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}

/** A temporary folder that removes itself: `using folder = createFolder()`. */
export function createFolder(): {
  readonly path: string;
  file(name: string, bytes?: Uint8Array): string;
  [Symbol.dispose](): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'karri-test-'));
  return {
    path,
    file(name, bytes) {
      const file = join(path, name);
      if (bytes) writeFileSync(file, bytes);
      return file;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export async function copyStore(from: ObjectStore): Promise<ObjectStore> {
  const to = createMemoryStore();
  for (const key of await listKeys(from)) await to.put(key, await from.get(key));
  return to;
}

export async function listKeys(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** Writes as many puts as it is told, then dies: every later call fails. `writes` counts the puts that were tried. */
export function createMortalStore(store: ObjectStore, puts: number): ObjectStore & { readonly writes: number } {
  let writes = 0;
  const alive = <A extends unknown[], R>(call: (...args: A) => R) => {
    return (...args: A): R => {
      if (writes > puts) throw new Fault('unavailable', 'storage.unreachable', 'The store died.', { retry: 'never' });
      return call(...args);
    };
  };
  return {
    get writes() {
      return writes;
    },
    description: 'mortal memory',
    abilities: store.abilities,
    async put(key, body, options) {
      writes++;
      await alive(() => store.put(key, body, options))();
    },
    get: async (key, options) => alive(() => store.get(key, options))(),
    stat: async (key, options) => alive(() => store.stat(key, options))(),
    delete: async (keys, options) => alive(() => store.delete(keys, options))(),
    list: (prefix, options) => alive(() => store.list(prefix, options))(),
    close: () => store.close(),
  };
}

/** The store with some of its calls replaced. */
export function changeStore(store: ObjectStore, calls: Partial<ObjectStore>): ObjectStore {
  return {
    description: store.description,
    abilities: store.abilities,
    put: (...args) => store.put(...args),
    get: (...args) => store.get(...args),
    stat: (...args) => store.stat(...args),
    list: (...args) => store.list(...args),
    delete: (...args) => store.delete(...args),
    close: () => store.close(),
    ...calls,
  };
}
