import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { GiB } from '../../src/base/bytes.ts';
import { runQuietly } from './measure.ts';

/** An empty folder to restore into. */
export interface Target {
  readonly path: string;
  /** Why it is no file system of its own. */
  readonly obstacle: string | undefined;
  remove(): Promise<void>;
}

/**
 * A new file system in an image where root may mount one, with room for twice the bytes. In a folder of a file system that is in use, a tree
 * costs several times as much for minutes after files were removed there: ext4 passes over their inodes one by one.
 */
export async function makeTarget(path: string, bytes: number): Promise<Target> {
  mkdirSync(path);
  const image = `${path}.img`;
  try {
    const fd = openSync(image, 'w');
    ftruncateSync(fd, 2 * bytes + GiB);
    closeSync(fd);
    // A system program is often left out of an ordinary user's PATH.
    const environment = { PATH: `${process.env.PATH}:/sbin:/usr/sbin` };
    await runQuietly({ program: 'mkfs.ext4', args: ['-q', '-F', '-T', 'default', image], environment });
    await runQuietly({ program: 'mount', args: ['-o', 'loop', image, path], environment });
  } catch (error) {
    rmSync(image, { force: true });
    const obstacle = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error);
    return { path, obstacle, remove: async () => rmSync(path, { recursive: true }) };
  }
  return {
    path,
    obstacle: undefined,
    async remove() {
      await runQuietly({ program: 'umount', args: [path] });
      rmSync(path, { recursive: true });
      rmSync(image);
    },
  };
}
