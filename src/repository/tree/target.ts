import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../base/faults.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import { loadPosix } from './posix.ts';

/** @throws {Fault} `repository.target_not_empty` (conflict) */
export function checkTarget(path: string): void {
  try {
    const names = readdirSync(path);
    if (names.length === 0) return;
    throw new Fault('conflict', 'repository.target_not_empty', `${path} is not empty.`, {
      help: 'Restore to a folder that is absent or empty.',
    });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') {
      throw new Fault('conflict', 'repository.target_not_empty', `${path} is no folder.`, {
        help: 'Restore to a folder that is absent or empty.',
      });
    }
    if (errnoOf(error) !== 'ENOENT') throw fileFault(error, 'look into', path);
  }
}

/** Made closed to everybody else until the end, so nobody can put a link in the way. */
export function makePartial(partial: string): void {
  try {
    mkdirSync(partial, { mode: 0o700 });
    // A default ACL of the parent would pass to everything made below.
    const place = Buffer.from(partial);
    for (const { name } of loadPosix().readXattrs(place)) {
      if (name.toString().startsWith('system.posix_acl_')) loadPosix().removeXattr(place, name);
    }
  } catch (error) {
    throw fileFault(error, 'make the folder', partial);
  }
}

/** @throws {Fault} `repository.target_is_mount` (conflict) */
export function putInPlace(partial: string, path: string): void {
  try {
    renameSync(partial, path);
    const parent = openSync(dirname(path), 'r');
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
  } catch (error) {
    if (errnoOf(error) === 'EBUSY' || errnoOf(error) === 'EXDEV') {
      throw new Fault(
        'conflict',
        'repository.target_is_mount',
        `${path} is a mount point and cannot be replaced by what was restored.`,
        {
          cause: error,
          help: 'Restore to a folder inside it.',
        },
      );
    }
    throw fileFault(error, 'put in place', path);
  }
}
