import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { loadPosix } from '../../src/repository/tree/posix.ts';

/**
 * The judge of restored trees: what the file system tells of every name in them, one line each, taken by plain recursion. Nothing of the
 * tree code is used, only the system calls for extended attributes.
 */
export interface DescribeOptions {
  /** Leave out what depends on when something was written rather than on what. */
  readonly times?: boolean;
}

/** One line for every name below the folder, in byte order: all attributes, content as a hash, hard links by their first name. */
export function describeTree(root: string, options: DescribeOptions = {}): string[] {
  const lines: string[] = [];
  const firstNames = new Map<string, string>();
  const visit = (place: Buffer, name: string): void => {
    const stat = lstatSync(place, { bigint: true });
    lines.push(`${JSON.stringify(name)} ${describe(place, name, stat, firstNames, options.times !== false)}`);
    if (!stat.isDirectory()) return;
    const entries = readdirSync(place, { encoding: 'buffer' }).sort((a, b) => Buffer.compare(a, b));
    for (const entry of entries) visit(Buffer.concat([place, Buffer.from('/'), entry]), `${name}/${entry.toString('latin1')}`);
  };
  visit(Buffer.from(root), '');
  return lines;
}

/** Lines that only one of the trees has; empty when they are equal in every attribute. */
export function compareTrees(expected: string, found: string, options: DescribeOptions = {}): string[] {
  return differences(describeTree(expected, options), describeTree(found, options));
}

export function differences(expected: readonly string[], found: readonly string[]): string[] {
  const isExpected = new Set(expected);
  const isFound = new Set(found);
  const missing = expected.filter((line) => !isFound.has(line)).map((line) => `- ${line}`);
  const surplus = found.filter((line) => !isExpected.has(line)).map((line) => `+ ${line}`);
  return [...missing, ...surplus].sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1));
}

function describe(place: Buffer, name: string, stat: BigIntStats, firstNames: Map<string, string>, times: boolean): string {
  const facts = [`mode=${stat.mode.toString(8)}`, `owner=${stat.uid}:${stat.gid}`];
  if (times) facts.push(`mtime=${stat.mtimeNs}`);
  if (stat.isFile()) {
    const inode = `${stat.dev}:${stat.ino}`;
    const firstName = firstNames.get(inode) ?? name;
    firstNames.set(inode, firstName);
    facts.push(`links=${stat.nlink}`, `size=${stat.size}`, `first=${JSON.stringify(firstName)}`);
    facts.push(`sparse=${stat.size >= 65_536n && stat.blocks * 512n < stat.size}`);
    if (firstName === name) facts.push(`sha256=${createHash('sha256').update(readFileSync(place)).digest('hex')}`);
  }
  if (stat.isSymbolicLink()) facts.push(`to=${JSON.stringify(readlinkSync(place, { encoding: 'buffer' }).toString('latin1'))}`);
  if (stat.isCharacterDevice() || stat.isBlockDevice()) facts.push(`device=${stat.rdev}`);
  for (const xattr of loadPosix().readXattrs(place))
    facts.push(`${xattr.name.toString('latin1')}=${xattr.value.toString('hex')}`);
  return facts.join(' ');
}
