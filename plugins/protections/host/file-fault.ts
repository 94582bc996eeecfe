import { Fault } from 'karri/plugin';
import { hasCode } from '../../protectables/host/paths.ts';

/** An error of the file system as a fault that says what to do; any other error as it is. */
export function fileFault(error: unknown, path: string): unknown {
  if (error instanceof Fault || !(error instanceof Error)) return error;
  const make = (kind: 'forbidden' | 'unavailable' | 'conflict', code: string, message: string, help: string): Fault =>
    new Fault(kind, code, message, { cause: error, help, details: { path }, retry: 'never' });
  if (hasCode(error, 'EACCES', 'EPERM')) {
    return make(
      'forbidden',
      'host.no_permission',
      `This service may not do that at ${path}: ${error.message}.`,
      'Give its user the permission, or choose another place.',
    );
  }
  if (hasCode(error, 'ENOSPC', 'EDQUOT'))
    return make('unavailable', 'host.full', `There is no space left for ${path}.`, 'Free some space and try again.');
  if (hasCode(error, 'EROFS'))
    return make('forbidden', 'host.read_only', `${path} lies on a read-only file system.`, 'Choose another place.');
  if (hasCode(error, 'EBUSY'))
    return make('conflict', 'host.busy', `${path} is in use: ${error.message}.`, 'Stop what uses it, or choose another place.');
  return error;
}
