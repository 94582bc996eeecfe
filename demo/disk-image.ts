import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { digestFiles, type FileDigests } from '../test/kit/digests.ts';

const run = promisify(execFile);
const mebibyte = 1024 * 1024;

/** A raw disk image of cloud 1. */
export interface DiskImage {
  readonly path: string;
  readonly filesystem: 'ext4' | 'none';
  /** The files in it; empty when it has no file system. */
  readonly files: FileDigests;
}

/**
 * A sparse image of `sizeBytes` with `contentDir` as its file system, filled without mounting. Where the machine has no
 * mkfs.ext4 the image holds the same bytes in plain runs with holes between.
 */
export async function createDiskImage(path: string, sizeBytes: number, contentDir: string): Promise<DiskImage> {
  fillContent(contentDir);
  const file = openSync(path, 'wx');
  ftruncateSync(file, sizeBytes);
  closeSync(file);
  const mkfs = findProgram('mkfs.ext4');
  if (mkfs === undefined) {
    copyIntoRuns(path, contentDir);
    return { path, filesystem: 'none', files: new Map() };
  }
  await run(mkfs, ['-q', '-F', '-E', 'lazy_itable_init=1,nodiscard', '-d', contentDir, path]);
  return { path, filesystem: 'ext4', files: digestFiles(contentDir) };
}

/** Adds one file of a mebibyte to the image, without mounting it. */
export async function changeDiskImage(image: DiskImage, contentDir: string): Promise<DiskImage> {
  const name = 'added-later.bin';
  const bytes = randomBytes(mebibyte);
  const debugfs = findProgram('debugfs');
  if (image.filesystem === 'none' || debugfs === undefined) {
    writeAt(image.path, statSync(image.path).size - 8 * mebibyte, bytes);
    return image;
  }
  const source = join(contentDir, name);
  writeFileSync(source, bytes);
  await run(debugfs, ['-w', '-R', `write ${source} ${name}`, image.path]);
  return { ...image, files: digestFiles(contentDir) };
}

/** Bytes on disk: holes do not count. */
export function allocatedBytes(path: string): number {
  return statSync(path).blocks * 512;
}

/** Some 300 MiB: large files that do not compress, large ones that do, and two thousand small ones. */
function fillContent(dir: string): void {
  mkdirSync(join(dir, 'media'), { recursive: true });
  mkdirSync(join(dir, 'tables'));
  mkdirSync(join(dir, 'mail'));
  for (let n = 0; n < 24; n += 1) writeFileSync(join(dir, 'media', `${n}.bin`), randomBytes(6 * mebibyte));
  for (let n = 0; n < 12; n += 1) writeFileSync(join(dir, 'tables', `${n}.csv`), csvText(n, 12 * mebibyte));
  for (let n = 0; n < 2000; n += 1) writeFileSync(join(dir, 'mail', `${n}.eml`), csvText(n, 500 + ((n * 7919) % 9000)));
}

function csvText(seed: number, sizeBytes: number): Buffer {
  const line = Buffer.from(Array.from({ length: 4096 }, (_, n) => `${seed},${(n * 104729 + seed * 31) % 99991},ok\n`).join(''));
  return Buffer.alloc(sizeBytes, line);
}

function copyIntoRuns(image: string, contentDir: string): void {
  let at = 4 * mebibyte;
  for (const name of digestFiles(contentDir).keys()) {
    const bytes = readFileSync(join(contentDir, name));
    writeAt(image, at, bytes);
    at += Math.ceil(bytes.length / 65_536) * 65_536 + 65_536;
  }
}

function writeAt(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}

/** System programs are often left out of an ordinary user's PATH. */
function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
