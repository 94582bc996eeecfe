import { type Fault, missingFault, storeFault } from 'karri/plugin';

/** The errno of a failed file system call; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What a failed file system call on an object means to the users of a bank. `root` is the bank's folder. */
export function fileFault(error: unknown, root: string, key: string): Fault {
  const errno = errnoOf(error) ?? 'UNKNOWN';
  const options = { details: { key, errno }, cause: error };
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
      return missingFault(root, key, error);
    case 'ENOSPC':
    case 'EDQUOT':
      return storeFault('storage.full', `The bank ${root} is full (${errno}): ${key} was not stored.`, {
        ...options,
        help: 'Make room on its file system or raise the quota, then try again; nothing half-written was left.',
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return storeFault('storage.refused', `The file system refuses ${key} in the bank ${root} (${errno}).`, {
        ...options,
        help: 'Give the user Karri runs as the right to read and write there, or mount the file system writable.',
      });
    case 'ENAMETOOLONG':
      return storeFault('storage.bad_key', `The file system of the bank ${root} takes no name as long as ${key}.`, options);
    default:
      return storeFault('storage.failed', `The file system failed on ${key} in the bank ${root} (${errno}).`, {
        ...options,
        retry: 'later',
        help: 'Look for disk or network file system trouble in the log of the host.',
      });
  }
}

export function noBankFault(root: string, cause: unknown): Fault {
  return storeFault('storage.no_bank', `There is no bank at ${root}.`, {
    details: { path: root },
    cause,
    help: 'Mount the file system or correct bank.config.path of the provider; its parent folder must exist.',
  });
}
