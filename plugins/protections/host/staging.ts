import { createHash } from 'node:crypto';
import { chmod, link, lstat, mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Fault, newId } from 'karri/plugin';
import { hasCode } from '../../protectables/host/paths.ts';
import { findMountBelow } from './mounts.ts';
import { removeTree } from './remove-tree.ts';
import type { Target } from './target.ts';

/**
 * A restore works in one folder beside its target, named after the operation, so that a retry in another process finds
 * it and nothing half-written ever bears the final name:
 *
 *     <target>.partial-<tag>/
 *       restored-<random>   what the mover made and compared
 *       result.json         written after that: which entry it is, and what the restore returns
 *     <target>.partial-<tag>.replaced
 *                           the old target, between the two renames of an overwrite; beside, because a folder that its
 *                           owner may not write to can change its name but not its parent
 *
 * Order: restored → result.json → (target → replaced) → restored → target → replaced removed. The folder itself stays
 * until the step's outcome is recorded: the identity in result.json is how a retry knows the target for its own.
 */
export interface Staging<Result> {
  /** What an earlier attempt has finished; undefined when there is nothing to go on from. */
  findResult(): Promise<Result | undefined>;
  /** An empty folder, and in it the path that the mover is to make. */
  begin(): Promise<string>;
  /** Durable before it returns. */
  keepResult(madePath: string, result: Result): Promise<void>;
  /** Gives the finished volume its final name. Repeatable. @throws conflict `host.target_exists` */
  putInPlace(): Promise<void>;
  /** Removes the folder; an old target that stands aside with nothing in its place goes back first. Repeatable. */
  discard(): Promise<void>;
}

interface Kept<Result> {
  readonly entry: string;
  readonly identity: string;
  /** Permission bits of what was restored. */
  readonly mode: number;
  readonly result: Result;
}

/** `subject`: operation and resource, the same in every hook and retry. */
export function createStaging<Result>(target: Target, subject: string): Staging<Result> {
  const tag = createHash('sha256').update(subject).digest('hex').slice(0, 12);
  const folder = `${target.path}.partial-${tag}`;
  const resultPath = join(folder, 'result.json');
  const replacedPath = `${folder}.replaced`;

  const findKept = async (): Promise<Kept<Result> | undefined> => {
    const text = await readFile(resultPath, 'utf8').catch(undefinedWhenAbsent);
    if (text === undefined) return undefined;
    const kept = JSON.parse(text) as Kept<Result>;
    const places = [target.path, join(folder, kept.entry)];
    for (const place of places) if ((await findIdentity(place)) === kept.identity) return kept;
    return undefined;
  };

  const discard = async (): Promise<void> => {
    if ((await findIdentity(replacedPath)) !== undefined) {
      const standing = await findIdentity(target.path);
      if (standing === undefined) await rename(replacedPath, target.path);
      else if (standing === (await findKept())?.identity) await removeTree(replacedPath);
      else {
        throw new Fault(
          'conflict',
          'host.swap_disturbed',
          `Something else took the place of ${target.path} while it was being replaced.`,
          {
            help: `What was there before is kept as ${replacedPath}: move it where it belongs.`,
          },
        );
      }
    }
    await removeTree(folder);
  };

  return {
    findResult: async () => (await findKept())?.result,
    begin: async () => {
      await discard();
      await mkdir(folder, { mode: 0o700 });
      return join(folder, `restored-${newId().slice(0, 8)}`);
    },
    keepResult: async (madePath, result) => {
      const identity = await findIdentity(madePath);
      const kept = { entry: basename(madePath), identity, mode: (await lstat(madePath)).mode & 0o7777, result };
      await writeDurably(resultPath, JSON.stringify(kept));
      await syncFolder(folder);
    },
    putInPlace: async () => {
      const kept = await findKept();
      if (kept === undefined) throw new Fault('internal', 'host.nothing_staged', `Nothing was restored for ${target.path}.`);
      const made = join(folder, kept.entry);
      const standing = await findIdentity(target.path);
      if (standing !== kept.identity) {
        if (standing !== undefined && target.overwrite) await stepAside(target.path, replacedPath);
        await giveName(made, target).catch(async (error: unknown) => {
          if ((await findIdentity(replacedPath)) !== undefined) await rename(replacedPath, target.path);
          throw error;
        });
      }
      // Also after a crash in the middle of `giveName`, which may have to open a folder up to move it.
      if (((await lstat(target.path)).mode & 0o7777) !== kept.mode) await chmod(target.path, kept.mode);
      await syncFolder(dirname(folder));
      await removeTree(replacedPath);
    },
    discard,
  };
}

/** Refuses a target with a file system mounted in it: removing the old folder would empty that as well. */
async function stepAside(path: string, replacedPath: string): Promise<void> {
  const mount = await findMountBelow(path);
  if (mount !== undefined) {
    throw new Fault('conflict', 'host.target_mounted', `${path} cannot be replaced: a file system is mounted at ${mount}.`, {
      help: 'Unmount it first.',
    });
  }
  await rename(path, replacedPath);
}

async function giveName(made: string, target: Target): Promise<void> {
  const stats = await lstat(made);
  try {
    if (stats.isDirectory()) {
      // Only root may move a folder it cannot write to into another parent.
      if ((stats.mode & 0o200) === 0) await chmod(made, (stats.mode & 0o7777) | 0o200);
      // A folder takes the place of nothing, or of an empty folder; the system refuses any other.
      await rename(made, target.path);
      return;
    }
    // Renaming a file would silently replace what came there in the meantime; a second link refuses.
    await link(made, target.path);
    await unlink(made);
  } catch (error) {
    if (hasCode(error, 'EEXIST', 'ENOTEMPTY', 'ENOTDIR')) throw targetExists(target.path, error);
    throw error;
  }
}

export function targetExists(path: string, cause?: unknown): Fault {
  return new Fault('conflict', 'host.target_exists', `${path} exists already and is not empty.`, {
    cause,
    details: { path },
    help: 'Restore under another name with restore_name or restore_path, or set overwrite to True to replace it.',
  });
}

/**
 * Tells the entries beside each other apart, across renames and, unlike the device number, across reboots. A file system
 * gives the inode of what was removed to the next that is made, so the time of birth goes in too.
 */
async function findIdentity(path: string): Promise<string | undefined> {
  const stats = await lstat(path, { bigint: true }).catch(undefinedWhenAbsent);
  return stats === undefined ? undefined : `${stats.ino}@${stats.birthtimeNs}`;
}

async function writeDurably(path: string, text: string): Promise<void> {
  const partial = `${path}.new`;
  await rm(partial, { force: true });
  const file = await open(partial, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function undefinedWhenAbsent(error: unknown): undefined {
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
  throw error;
}
