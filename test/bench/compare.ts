import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../../src/base/bytes.ts';

/** Says where two images or trees differ, byte by byte; undefined when they do not. Trees: names, kinds, modes, owners and times too. */
export function findDifference(expected: string, found: string): string | undefined {
  const stat = lstatSync(expected, { bigint: true });
  return stat.isDirectory() ? compareFolders(expected, found) : compareFiles(expected, found, stat);
}

function compareFolders(expected: string, found: string): string | undefined {
  const names = readdirSync(expected).sort();
  const others = readdirSync(found).sort();
  const odd = names.find((name, index) => others[index] !== name) ?? others[names.length];
  if (odd !== undefined) return `${join(expected, odd)} is in one of the trees alone`;
  for (const name of names) {
    const [a, b] = [join(expected, name), join(found, name)];
    const [stat, other] = [lstatSync(a, { bigint: true }), lstatSync(b, { bigint: true })];
    if (stat.mode !== other.mode || stat.uid !== other.uid || stat.gid !== other.gid) return `${b} has another mode or owner`;
    if (stat.mtimeNs !== other.mtimeNs) return `${b} has another time`;
    const difference = stat.isDirectory() ? compareFolders(a, b) : stat.isFile() ? compareFiles(a, b, stat) : undefined;
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function compareFiles(expected: string, found: string, stat: BigIntStats): string | undefined {
  if (stat.size !== lstatSync(found, { bigint: true }).size) return `${found} has another size than ${expected}`;
  if (stat.size <= BigInt(4 * MiB)) return readFileSync(expected).equals(readFileSync(found)) ? undefined : `${found} differs`;
  const [a, b] = [openSync(expected, 'r'), openSync(found, 'r')];
  const [left, right] = [Buffer.alloc(4 * MiB), Buffer.alloc(4 * MiB)];
  try {
    for (let at = 0; at < stat.size; at += left.length) {
      const length = readSync(a, left, 0, left.length, at);
      if (readSync(b, right, 0, length, at) !== length || !left.subarray(0, length).equals(right.subarray(0, length)))
        return `${found} differs from ${expected} in the 4 MiB at ${at}`;
    }
    return undefined;
  } finally {
    closeSync(a);
    closeSync(b);
  }
}
