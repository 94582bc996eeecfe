import type { ListOptions, ObjectStore } from '../../src/storage/object-store.ts';

/** The keys of a listing. */
export async function storeKeys(store: ObjectStore, prefix = '', options: ListOptions = {}): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, options)) keys.push(key);
  return keys;
}
