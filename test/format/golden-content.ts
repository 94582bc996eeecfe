import { createCipheriv } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** What the golden repositories hold; never change it, add to it under a new name. */
export const goldenFolder = fileURLToPath(new URL('./golden/', import.meta.url));

/** Bytes that do not compress, the same on every machine. */
export function noise(name: string, count: number): Buffer {
  const key = Buffer.alloc(32);
  key.write(name);
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(count));
}

/** No multiple of a slot; zeros in the middle and at the end; text that compresses. */
export function goldenVolume(): Buffer {
  const text = Buffer.from('Karri is a tall tree of the south west. '.repeat(2000));
  return Buffer.concat([noise('volume', 30_000), Buffer.alloc(600_000), text, Buffer.alloc(700_001)]);
}

export function makeGoldenTree(path: string): void {
  mkdirSync(join(path, 'folder/empty'), { recursive: true });
  writeFileSync(join(path, 'one'), 'one\n');
  writeFileSync(join(path, 'folder/noise'), noise('tree', 20_000));
  chmodSync(join(path, 'one'), 0o640);
  symlinkSync('../one', join(path, 'folder/link'));
}

/** The golden repository of that version as a store of its own, free to be broken. */
export async function loadGolden(version: string): Promise<ObjectStore> {
  const store = createMemoryStore();
  const root = join(goldenFolder, version);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    await store.put(file.slice(root.length + 1), await readFile(file));
  }
  return store;
}
