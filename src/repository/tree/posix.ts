import { fsyncSync, futimesSync, lutimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { errnoFault } from '../file-faults.ts';

/** The raw bytes of a path without a NUL, never followed when it is a link; or an open file, which saves the search for it. */
export type PosixPlace = Uint8Array | number;

/** What node:fs does not offer of the C library. Every failed call is the fault `repository.file_failed` with `details.errno`. */
export interface Posix {
  /** One line for each thing that cannot be carried on this platform; empty where all of it can. */
  readonly gaps: readonly string[];
  /** Sets the time of change to the nanosecond and leaves the time of access alone. */
  setTime(place: PosixPlace, mtimeNs: bigint): void;
  /** Extended attributes (ACLs among them) in byte order of their names; empty where the file system has none. */
  readXattrs(place: PosixPlace): readonly Xattr[];
  setXattr(place: PosixPlace, xattr: Xattr): void;
  removeXattr(path: Uint8Array, name: Uint8Array): void;
  /** FIFO, character or block device; `mode` holds type and permission bits. */
  makeNode(path: Uint8Array, mode: number, rdev: bigint): void;
  /** The next byte of data (or of a hole) at or after the offset; undefined when there is none; 'unsupported' where files have no holes. */
  seek(fd: number, offset: number, to: 'data' | 'hole'): number | undefined | 'unsupported';
  /** Everything written to the file system of the open file or folder is durable when this returns; may take many seconds. */
  syncFilesystem(fd: number): void;
  /** Has the system begin with that while other work goes on. What fails here fails again in `syncFilesystem` of any other descriptor. */
  startSync(fd: number): Promise<void>;
  /** False where `syncFilesystem` reaches folders only, so that each file has to be made durable by itself. */
  readonly syncsFiles: boolean;
}

export interface Xattr {
  readonly name: Buffer;
  readonly value: Buffer;
}

let loaded: Posix | undefined;

/** The C library of this thread, loaded at the first call (about 3 ms); node:fs with gaps where it cannot be loaded. */
export function loadPosix(): Posix {
  loaded ??= loadNative() ?? createPlainPosix();
  return loaded;
}

function loadNative(): Posix | undefined {
  // Numbers of flags and the layout of timespec below are those of 64-bit Linux.
  if (process.platform !== 'linux' || !['x64', 'arm64', 'riscv64', 'loong64'].includes(process.arch)) return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return createNativePosix(koffi);
  } catch {
    // Whatever the reason (no prebuilt binary, a symbol missing): the gaps of the plain one are told in every snapshot.
    return undefined;
  }
}

const atFdCwd = -100;
const atSymlinkNofollow = 0x100;
const utimeOmit = 0x3ffffffen;
const maxXattrBytes = 65_536; // XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux
const noXattrs = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

const maxTries = 100;

function createNativePosix(koffi: typeof import('koffi')): Posix {
  const libc = koffi.load(null);
  let failure = 0;
  // Garbage collection and the locks of this thread write to errno too, before it can be read here (seen: EAGAIN in place of lseek's ENXIO). What
  // failed with one of theirs, which none of these calls gives, is called again.
  const repeated = (call: (...args: unknown[]) => number): ((...args: unknown[]) => number) => {
    const { EAGAIN, EINTR, ETIMEDOUT } = koffi.os.errno;
    return (...args) => {
      for (let tries = 0; ; tries++) {
        const result = call(...args);
        if (result >= 0) return result;
        failure = koffi.errno();
        if (tries === maxTries || (failure !== EAGAIN && failure !== EINTR && failure !== ETIMEDOUT)) return result;
      }
    };
  };
  const utimensat = repeated(libc.func('int utimensat(int, const void *, const void *, int)'));
  const futimens = repeated(libc.func('int futimens(int, const void *)'));
  const llistxattr = repeated(libc.func('long llistxattr(const void *, void *, size_t)'));
  const flistxattr = repeated(libc.func('long flistxattr(int, void *, size_t)'));
  const lgetxattr = repeated(libc.func('long lgetxattr(const void *, const void *, void *, size_t)'));
  const fgetxattr = repeated(libc.func('long fgetxattr(int, const void *, void *, size_t)'));
  const lsetxattr = repeated(libc.func('int lsetxattr(const void *, const void *, const void *, size_t, int)'));
  const fsetxattr = repeated(libc.func('int fsetxattr(int, const void *, const void *, size_t, int)'));
  const lremovexattr = repeated(libc.func('int lremovexattr(const void *, const void *)'));
  const mknod = repeated(libc.func('int mknod(const void *, unsigned int, uint64_t)'));
  const lseek = repeated(libc.func('int64_t lseek(int, int64_t, int)'));
  const asyncSyncfs = libc.func('int syncfs(int)');
  const syncfs = repeated(asyncSyncfs);

  const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));
  const errno = (): string => names.get(failure) ?? `errno ${failure}`;
  const timespecs = Buffer.alloc(32);
  timespecs.writeBigInt64LE(utimeOmit, 8);
  const list = Buffer.alloc(maxXattrBytes);
  const value = Buffer.alloc(maxXattrBytes);
  // Paths are copied into one buffer a thread instead of a fresh one a call: a tree makes a million of them.
  const pathBytes = Buffer.alloc(8192);
  const nameBytes = Buffer.alloc(512);

  const terminated = (scratch: Buffer, text: Uint8Array): Buffer => {
    if (text.length >= scratch.length) throw errnoFault('ENAMETOOLONG', 'use', text);
    scratch.set(text);
    scratch[text.length] = 0;
    return scratch;
  };

  return {
    gaps: [],
    syncsFiles: true,
    setTime(place, mtimeNs) {
      const rest = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
      timespecs.writeBigInt64LE((mtimeNs - rest) / 1_000_000_000n, 16);
      timespecs.writeBigInt64LE(rest, 24);
      const failed =
        typeof place === 'number'
          ? futimens(place, timespecs)
          : utimensat(atFdCwd, terminated(pathBytes, place), timespecs, atSymlinkNofollow);
      if (failed !== 0) throw errnoFault(errno(), 'set the time of', nameOf(place));
    },
    readXattrs(place) {
      const cPath = typeof place === 'number' ? undefined : terminated(pathBytes, place);
      const length = cPath === undefined ? flistxattr(place, list, list.length) : llistxattr(cPath, list, list.length);
      if (length === 0) return [];
      if (length < 0) {
        const name = errno();
        if (noXattrs.has(name)) return [];
        throw errnoFault(name, 'list the extended attributes of', nameOf(place));
      }
      const found: Xattr[] = [];
      for (let at = 0; at < length; ) {
        const end = list.indexOf(0, at);
        const name = Buffer.from(list.subarray(at, end));
        at = end + 1;
        const cName = terminated(nameBytes, name);
        const size =
          cPath === undefined ? fgetxattr(place, cName, value, value.length) : lgetxattr(cPath, cName, value, value.length);
        if (size >= 0) found.push({ name, value: Buffer.from(value.subarray(0, size)) });
        // ENODATA: it was removed since it was listed.
        else if (failure !== koffi.os.errno['ENODATA'])
          throw errnoFault(errno(), `read the extended attribute ${name.toString()} of`, nameOf(place));
      }
      return found.sort((a, b) => Buffer.compare(a.name, b.name));
    },
    setXattr(place, xattr) {
      const name = terminated(nameBytes, xattr.name);
      const failed =
        typeof place === 'number'
          ? fsetxattr(place, name, xattr.value, xattr.value.length, 0)
          : lsetxattr(terminated(pathBytes, place), name, xattr.value, xattr.value.length, 0);
      if (failed !== 0) throw errnoFault(errno(), `set the extended attribute ${xattr.name.toString()} of`, nameOf(place));
    },
    removeXattr(path, name) {
      if (lremovexattr(terminated(pathBytes, path), terminated(nameBytes, name)) !== 0) {
        throw errnoFault(errno(), `remove the extended attribute ${Buffer.from(name).toString()} of`, path);
      }
    },
    makeNode(path, mode, rdev) {
      if (mknod(terminated(pathBytes, path), mode, rdev) !== 0) throw errnoFault(errno(), 'make the special file', path);
    },
    seek(fd, offset, to) {
      const found = lseek(fd, offset, to === 'data' ? 3 : 4);
      if (found >= 0) return found;
      const name = errno();
      if (name === 'ENXIO') return undefined;
      if (name === 'EINVAL' || noXattrs.has(name)) return 'unsupported';
      throw errnoFault(name, 'look for holes in', `file descriptor ${fd}`);
    },
    syncFilesystem(fd) {
      if (syncfs(fd) !== 0) throw errnoFault(errno(), 'make durable', nameOf(fd));
    },
    startSync: (fd) => new Promise((resolve) => asyncSyncfs.async(fd, () => resolve())),
  };
}

function nameOf(place: PosixPlace): Uint8Array | string {
  return typeof place === 'number' ? `file descriptor ${place}` : place;
}

/** Node alone: for platforms without the C library above. */
export function createPlainPosix(): Posix {
  return {
    gaps: [
      'Extended attributes and ACLs are not carried on this platform: the C library could not be loaded.',
      'Holes of sparse files are read as zeros on this platform: the C library could not be loaded.',
      'Times are set to the microsecond only (before 1970 to the millisecond) on this platform: the C library could not be loaded.',
      'FIFOs and device nodes cannot be made on this platform: the C library could not be loaded.',
    ],
    syncsFiles: false,
    setTime(place, mtimeNs) {
      // node:fs takes a negative number for "now", a Date for what it says, but a Date knows milliseconds only.
      const time = mtimeNs < 0n ? new Date(Number(mtimeNs / 1_000_000n)) : Number(mtimeNs / 1000n) / 1e6;
      if (typeof place === 'number') futimesSync(place, time, time);
      else lutimesSync(Buffer.from(place), time, time);
    },
    readXattrs: () => [],
    setXattr: (place) => {
      throw errnoFault('ENOTSUP', 'set an extended attribute of', nameOf(place));
    },
    removeXattr: (path) => {
      throw errnoFault('ENOTSUP', 'remove an extended attribute of', path);
    },
    makeNode: (path) => {
      throw errnoFault('ENOTSUP', 'make the special file', path);
    },
    seek: () => 'unsupported',
    syncFilesystem: fsyncSync,
    startSync: async () => undefined,
  };
}
