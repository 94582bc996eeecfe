import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the server keeps the objects of one bucket; keys are any text. Calls do not interleave, so they are synchronous. */
export interface S3Objects {
  read(key: string): Buffer | undefined;
  write(key: string, bytes: Buffer): void;
  remove(key: string): void;
  sizeBytes(key: string): number | undefined;
  /** In the order of their bytes. */
  keys(): readonly string[];
}

export function createMemoryObjects(): S3Objects {
  const objects = new Map<string, Buffer>();
  return {
    read: (key) => objects.get(key),
    write: (key, bytes) => void objects.set(key, bytes),
    remove: (key) => void objects.delete(key),
    sizeBytes: (key) => objects.get(key)?.length,
    keys: () => sortByBytes([...objects.keys()]),
  };
}

/** One file per object, `$` behind the last part so that `a` and `a/b` live together; opening a folder again finds what is in it. */
export function createFolderObjects(folder: string): S3Objects {
  mkdirSync(folder, { recursive: true });
  const pathOf = (key: string): string => join(folder, `${key.split('/').map(escapePart).join('/')}$`);
  const sizes = new Map<string, number>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('$')) continue;
    const path = join(entry.parentPath, entry.name);
    sizes.set(
      path
        .slice(folder.length + 1, -1)
        .split('/')
        .map(unescapePart)
        .join('/'),
      statSync(path).size,
    );
  }
  return {
    read: (key) => (sizes.has(key) ? readFileSync(pathOf(key)) : undefined),
    write: (key, bytes) => {
      mkdirSync(dirname(pathOf(key)), { recursive: true });
      // A killed server leaves a file without `$`, which nobody reads.
      writeFileSync(`${pathOf(key)}.part`, bytes);
      renameSync(`${pathOf(key)}.part`, pathOf(key));
      sizes.set(key, bytes.length);
    },
    remove: (key) => {
      if (sizes.delete(key)) rmSync(pathOf(key));
    },
    sizeBytes: (key) => sizes.get(key),
    keys: () => sortByBytes([...sizes.keys()]),
  };
}

function sortByBytes(keys: string[]): string[] {
  return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function escapePart(part: string): string {
  return part === '' ? '%' : encodeURIComponent(part).replaceAll('.', '%2E').replaceAll('$', '%24');
}

function unescapePart(part: string): string {
  return part === '%' ? '' : decodeURIComponent(part);
}
