import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isKey, type ListOptions, type ObjectEntry, throwIfAborted } from 'karri/plugin';
import { errnoOf } from './errors.ts';

/**
 * The objects below `root` whose key begins with the prefix, in the order of their full keys. A folder sorts as its name
 * and a slash, so `a.b`, `a/x`, `a0` come in this order. One folder is read at a time, and only those that can hold a wanted
 * key; a folder's names are held in memory, so a bank keeps its folders small (packs are spread over 256).
 */
export async function* listObjects(root: string, prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
  // Every wanted key lies below the prefix's last folder.
  yield* listFolder(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, options);
}

/** `folder` is empty or ends in a slash. */
async function* listFolder(root: string, folder: string, prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
  const { signal, startAfter = '' } = options;
  throwIfAborted(signal);
  const names: string[] = [];
  for (const entry of await readFolder(join(root, folder))) {
    const name = folder + entry.name;
    if (!isKey(name)) continue;
    if (entry.isFile() && name.startsWith(prefix) && name > startAfter) names.push(name);
    if (entry.isDirectory() && mayHold(`${name}/`, prefix, startAfter)) names.push(`${name}/`);
  }
  names.sort();
  for (let index = 0; index < names.length; ) {
    const name = names[index] ?? '';
    if (name.endsWith('/')) {
      yield* listFolder(root, name, prefix, options);
      index++;
      continue;
    }
    // Sizes are asked for some files at once: one after the other is four times slower.
    const files = runOfFiles(names, index);
    index += files.length;
    for (const entry of await Promise.all(files.map((key) => sizeOf(root, key)))) {
      throwIfAborted(signal);
      if (entry) yield entry;
    }
  }
}

function mayHold(folder: string, prefix: string, startAfter: string): boolean {
  const inPrefix = folder.startsWith(prefix) || prefix.startsWith(folder);
  return inPrefix && (folder > startAfter || startAfter.startsWith(folder));
}

function runOfFiles(names: readonly string[], from: number): readonly string[] {
  const run: string[] = [];
  for (let index = from; index < names.length && run.length < 64 && !names[index]?.endsWith('/'); index++)
    run.push(names[index] ?? '');
  return run;
}

async function readFolder(path: string): Promise<{ name: string; isFile(): boolean; isDirectory(): boolean }[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/** Undefined when the object was deleted while it was listed. */
async function sizeOf(root: string, key: string): Promise<ObjectEntry | undefined> {
  try {
    return { key, sizeBytes: (await lstat(join(root, key))).size };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
