import { createHash, type Hash } from 'node:crypto';
import { cp, lstat, mkdtemp, open, readdir, readFile, readlink, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import type { Mover, TreeSource, VolumeSource, Written } from '../../src/plugin/mover.ts';

/** A mover without a repository: a snapshot is a copy in a folder. It keeps the mover's promises about names and overwriting. */
export interface FakeMover extends Mover {
  /** What it was asked to do, in order. */
  readonly calls: readonly MoverCall[];
  /** Snapshots that are kept now. */
  listSnapshots(): Promise<string[]>;
  /** The next restore stops half-way, as a `kill -9` would: its partial files stay. */
  failNextRestore(fault: Fault): void;
  /** Lines that the next write reports. */
  warnNextWrite(lines: readonly string[]): void;
  /** Lines that every verify finds from now on. */
  damage(lines: readonly string[]): void;
  /** Another snapshot of the same content, as one in another bank is. */
  copySnapshot(snapshot: string): Promise<Written>;
}

export type MoverCall =
  | { readonly call: 'writeVolume'; readonly source: VolumeSource }
  | { readonly call: 'writeTree'; readonly source: TreeSource }
  | { readonly call: 'restoreVolume' | 'restoreTree'; readonly snapshot: string; readonly path: string }
  | { readonly call: 'verify'; readonly snapshot: string; readonly percent: number }
  | { readonly call: 'forget'; readonly snapshot: string };

function createFakeMover(folder: string): FakeMover {
  const calls: MoverCall[] = [];
  const written = new Map<string, Written>();
  const forgotten = new Map<string, Written>();
  let restoreFault: Fault | undefined;
  let warnings: readonly string[] = [];
  let damages: readonly string[] = [];

  const bytesOf = (snapshot: string): string => {
    if (!written.has(snapshot)) throw new Fault('not-found', 'repository.snapshot_absent', `There is no snapshot ${snapshot}.`);
    return join(folder, snapshot);
  };
  const keep = async (kind: Written['kind'], path: string): Promise<Written> => {
    const snapshot = newId();
    const copy = join(folder, snapshot);
    await cp(path, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    const figures = await measure(copy);
    const summary: Written = {
      snapshot,
      kind,
      sizeBytes: figures.sizeBytes,
      storedBytes: figures.sizeBytes,
      reusedBytes: 0,
      digest: figures.digest,
      ...(kind === 'tree' && { files: figures.files }),
      warnings,
    };
    written.set(snapshot, summary);
    warnings = [];
    return summary;
  };
  const restored = async (path: string) => ({ ...(await measure(path)), warnings: [] });
  /** Copies beside the target and renames, as the repository does. */
  const restoreBeside = async (from: string, path: string) => {
    const partial = `${path}.partial-${newId()}`;
    await cp(from, partial, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    const fault = restoreFault;
    restoreFault = undefined;
    if (fault) throw fault;
    await rename(partial, path);
    return restored(path);
  };

  return {
    calls,
    listSnapshots: async () => [...written.keys()],
    failNextRestore: (fault) => {
      restoreFault = fault;
    },
    warnNextWrite: (lines) => {
      warnings = lines;
    },
    damage: (lines) => {
      damages = lines;
    },
    writeVolume: async (source) => {
      calls.push({ call: 'writeVolume', source });
      if ('path' in source) return keep('volume', source.path);
      if (!('reader' in source)) throw new Fault('unsupported', 'fake.no_streams', 'The fake mover takes no streams.');
      const bytes = Buffer.alloc(source.reader.sizeBytes);
      await source.reader.read(bytes, 0);
      const path = join(folder, 'read');
      await writeFile(path, bytes);
      return keep('volume', path);
    },
    writeTree: async (source) => {
      calls.push({ call: 'writeTree', source });
      return keep('tree', source.path);
    },
    restoreVolume: async (snapshot, { path, overwrite }) => {
      calls.push({ call: 'restoreVolume', snapshot, path });
      const from = bytesOf(snapshot);
      const standing = await stat(path).catch(() => undefined);
      if (!overwrite) {
        if (standing) throw new Fault('conflict', 'repository.target_exists', `${path} exists.`);
        return restoreBeside(from, path);
      }
      const bytes = await readFile(from);
      const file = await open(path, 'r+');
      try {
        // A block device has no size that a stat would tell; writing beyond its end fails by itself.
        if (standing?.isFile() && standing.size < bytes.length) {
          throw new Fault(
            'invalid',
            'repository.target_too_small',
            `${path} has ${standing.size} bytes; ${bytes.length} are needed.`,
          );
        }
        await file.write(bytes, 0, bytes.length, 0);
        const { buffer } = await file.read(Buffer.alloc(bytes.length), 0, bytes.length, 0);
        if (!buffer.equals(bytes)) throw new Fault('corrupt', 'repository.restore_differs', `${path} differs from ${snapshot}.`);
      } finally {
        await file.close();
      }
      const { digest } = await measure(from);
      return { sizeBytes: bytes.length, digest, warnings: [] };
    },
    restoreTree: async (snapshot, { path }) => {
      calls.push({ call: 'restoreTree', snapshot, path });
      const from = bytesOf(snapshot);
      if ((await readdir(path).catch(() => [])).length > 0)
        throw new Fault('conflict', 'repository.target_not_empty', `${path} is not empty.`);
      return restoreBeside(from, path);
    },
    verify: async (snapshot, { percent }) => {
      calls.push({ call: 'verify', snapshot, percent });
      const { sizeBytes, files } = await measure(bytesOf(snapshot));
      return { readBytes: Math.round((sizeBytes * percent) / 100), checkedBlobs: files, damages };
    },
    forget: async (snapshot) => {
      calls.push({ call: 'forget', snapshot });
      const known = written.get(snapshot);
      if (known !== undefined) forgotten.set(snapshot, known);
      written.delete(snapshot);
    },
    undelete: async (snapshot) => {
      const known = forgotten.get(snapshot);
      if (known !== undefined) written.set(snapshot, known);
      bytesOf(snapshot);
    },
    copySnapshot: (snapshot) => keep(written.get(snapshot)?.kind ?? 'volume', bytesOf(snapshot)),
  };
}

/** Size, number of files and a digest over names, kinds, permission bits and bytes of a file or a tree. */
export async function measure(path: string): Promise<{ sizeBytes: number; files: number; digest: string }> {
  const hash = createHash('sha256');
  const figures = { sizeBytes: 0, files: 0 };
  await add(path, '', hash, figures);
  return { ...figures, digest: `sha256:${hash.digest('hex')}` };
}

async function add(path: string, name: string, hash: Hash, figures: { sizeBytes: number; files: number }): Promise<void> {
  const stats = await lstat(path);
  const note = (kind: string): void =>
    void hash.update(`${kind} ${name === '' ? '' : stats.mode & 0o777} ${JSON.stringify(name)} `);
  if (stats.isDirectory()) {
    note('folder');
    for (const entry of (await readdir(path)).sort()) await add(join(path, entry), `${name}/${entry}`, hash, figures);
  } else if (stats.isSymbolicLink()) {
    note('link');
    hash.update(await readlink(path));
  } else {
    note('file');
    hash.update(await readFile(path));
    figures.sizeBytes += stats.size;
    figures.files++;
  }
}

/** A fake mover with a folder of its own inside the given one. */
export async function makeFakeMover(inside: string): Promise<FakeMover> {
  return createFakeMover(await mkdtemp(join(inside, 'fake-bank-')));
}
