import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';

/** Same path, or below it. Both absolute and free of links, or the answer means nothing. */
export function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

export function overlaps(one: string, other: string): boolean {
  return isWithin(one, other) || isWithin(other, one);
}

/** The path with every link followed; undefined when it leads nowhere, or where this service may not look. */
export async function findRealPath(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

/** As `findRealPath`, but the last part may be missing: where something would be made. */
export async function findRealPlace(path: string): Promise<string | undefined> {
  const real = await findRealPath(path);
  if (real !== undefined) return real;
  const parent = await findRealPath(dirname(path));
  return parent === undefined ? undefined : join(parent, basename(path));
}

/** Is this an error of the operating system with one of these codes? */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
