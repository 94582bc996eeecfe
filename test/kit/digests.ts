import { createHash, hash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const pieceBytes = 4 * 1024 * 1024;
const zeros = Buffer.alloc(pieceBytes);

/** Path below a folder → SHA-256 of the file there. */
export type FileDigests = ReadonlyMap<string, string>;

/** Digest of every regular file below `dir`. */
export function digestFiles(dir: string): FileDigests {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [relative(dir, path), hash('sha256', readFileSync(path))]),
  );
}

export function sameDigests(left: FileDigests, right: FileDigests): boolean {
  return left.size === right.size && [...left].every(([name, digest]) => right.get(name) === digest);
}

/** SHA-256 over the size and every piece that is not all zero, with its place: a sparse gibibyte is read, not hashed. */
export function digestImage(path: string): string {
  const digest = createHash('sha256').update(`${statSync(path).size}`);
  let place = 0;
  for (const piece of readPieces(path)) {
    if (!zeros.subarray(0, piece.length).equals(piece)) digest.update(`@${place}:`).update(piece);
    place += piece.length;
  }
  return digest.digest('hex');
}

/** Whether two files are the same, byte for byte. */
export function sameBytes(left: string, right: string): boolean {
  if (statSync(left).size !== statSync(right).size) return false;
  const others = readPieces(right);
  for (const piece of readPieces(left)) {
    const other = others.next().value;
    if (other === undefined || !piece.equals(other)) return false;
  }
  return true;
}

function* readPieces(path: string): Generator<Buffer, undefined> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const length = readSync(file, piece, 0, piece.length, null);
      if (length === 0) return;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}
