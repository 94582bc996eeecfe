import { Fault, type FaultKind } from '../base/faults.ts';

const kindOf: Readonly<Record<string, FaultKind>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  EROFS: 'forbidden',
  EEXIST: 'conflict',
  ENOTEMPTY: 'conflict',
  EBUSY: 'conflict',
  EXDEV: 'conflict',
  ENOTSUP: 'unsupported',
  EOPNOTSUPP: 'unsupported',
  EIO: 'unavailable',
  ENOSPC: 'unavailable',
  EDQUOT: 'unavailable',
  EMFILE: 'unavailable',
};

const helpOf: Readonly<Record<string, string>> = {
  EACCES: 'Run Karri as a user that may do this, or leave the path out with an exclude pattern.',
  EPERM: 'Run Karri as root to carry this, or leave the path out with an exclude pattern.',
  ENOSPC: 'Make room on the file system and try again.',
  EDQUOT: 'Raise the quota of the user Karri runs as and try again.',
  EIO: 'Look at the disk: the kernel could not read or write it.',
  EMFILE: 'Raise the limit of open files.',
};

/** The errno name (`EACCES`) that an error of node:fs or of `posix.ts` carries. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Fault) return typeof error.details['errno'] === 'string' ? error.details['errno'] : undefined;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** A system call that failed on a path, as a fault with `details.errno` and `details.path`. Faults pass unchanged. */
export function fileFault(error: unknown, action: string, path: Uint8Array | string): Fault {
  if (error instanceof Fault) return error;
  const errno = errnoOf(error) ?? 'unknown error';
  return errnoFault(errno, action, path, error);
}

export function errnoFault(errno: string, action: string, path: Uint8Array | string, cause?: unknown): Fault {
  const text = pathText(path);
  // A full or failing disk is no passing trouble: whoever clears it starts the work again.
  return new Fault(kindOf[errno] ?? 'internal', 'repository.file_failed', `Could not ${action} ${text}: ${errno}.`, {
    retry: 'never',
    details: { errno, path: text },
    cause,
    ...(helpOf[errno] === undefined ? {} : { help: helpOf[errno] }),
  });
}

/** A path as people read it: bytes that are no UTF-8 and control characters as `\xff`. */
export function pathText(path: Uint8Array | string): string {
  if (typeof path === 'string') return path;
  if (path.length === 0) return '.';
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.length);
  const text = bytes.toString('utf8');
  const clean = !text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(bytes);
  const readable = clean
    ? text
    : Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : hexEscape(byte))).join('');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters in file names are exactly what is looked for
  return readable.replace(/[\u0000-\u001f\u007f]/g, (character) => hexEscape(character.charCodeAt(0)));
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
