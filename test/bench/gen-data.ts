/**
 * The two data sets of the bench, the same bytes on machines with the same `/usr`:
 *
 *     A       a tree of real files out of /usr, topped up with made text where /usr is smaller
 *     B.img   a raw ext4 image: two fifths real files, one fifth random bytes, the rest free space (holes of the file)
 *
 * `node test/bench/gen-data.ts [--dir DIR] [--mib 2048] [--only A|B]` makes them by hand; the bench makes them itself.
 */
import { spawnSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  copyFileSync,
  existsSync,
  constants as fsConstants,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { KiB, MiB } from '../../src/base/bytes.ts';

export type SetName = 'A' | 'B';

export interface DataSet {
  readonly name: SetName;
  /** The folder or the image. */
  readonly path: string;
  readonly bytes: number;
  /** Real files in it. */
  readonly files: number;
}

/** Where a set came from, and how much of it. The shares keep the mix the same on any machine. */
const shares: Record<SetName, readonly (readonly [folder: string, share: number])[]> = {
  A: [
    ['/usr/lib', 0.62],
    ['/usr/share', 0.24],
    ['/usr/bin', 0.08],
    ['/usr/include', 0.06],
  ],
  B: [
    ['/usr/share', 0.35],
    ['/usr/bin', 0.2],
    ['/usr/lib', 0.45],
  ],
};

/** Makes the set in the folder, or takes the one that lies there whole and unchanged. */
export function provideDataSet(name: SetName, folder: string, mib: number): DataSet {
  const path = join(folder, name === 'A' ? 'A' : 'B.img');
  const stamp = join(folder, `${name}.${mib}.json`);
  if (existsSync(stamp)) return { name, path, ...(JSON.parse(readFileSync(stamp, 'utf8')) as { bytes: number; files: number }) };
  mkdirSync(folder, { recursive: true });
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith(`${name}.`) || entry === name) rmSync(join(folder, entry), { recursive: true });
  }
  const made = name === 'A' ? copyTree(path, mib * MiB, 'A') : makeImage(path, folder, mib);
  writeFileSync(stamp, JSON.stringify(made));
  return { name, path, ...made };
}

export interface Change {
  /** Where bytes were changed; of an image only. */
  readonly extents: readonly (readonly [offset: number, length: number])[];
  /** Puts the old bytes back. */
  undo(): void;
}

/**
 * Changes 1 % of the bytes in place: aligned extents of 128 KiB in the used part of an image; in a tree the later part of files chosen
 * at random, as an application does that saves a file. Every round changes others.
 */
export function changeOnePercent({ name, path, bytes }: DataSet, round: number): Change {
  const random = createRandom(`change ${name} ${round}`);
  const old: { file: string; offset: number; bytes: Buffer }[] = [];
  const overwrite = (file: string, offset: number, length: number): void => {
    const before = Buffer.alloc(length);
    const fd = openSync(file, 'r+');
    readSync(fd, before, 0, length, offset);
    writeSync(fd, random.bytes(length), 0, length, offset);
    closeSync(fd);
    old.push({ file, offset, bytes: before });
  };
  // A set that is found changed after a crash must not be taken for whole.
  const stamps = readdirSync(dirname(path)).filter((entry) => new RegExp(`^${name}\\.\\d+\\.json$`).test(entry));
  const kept = stamps.map((entry) => [join(dirname(path), entry), readFileSync(join(dirname(path), entry))] as const);
  for (const [stamp] of kept) rmSync(stamp);

  const extents: [number, number][] = [];
  if (name === 'B') {
    const length = 128 * KiB;
    for (let n = 0; n < Math.floor(bytes / 100 / length); n += 1) {
      const offset = random.below(Math.floor((bytes * 0.6) / length)) * length;
      overwrite(path, offset, length);
      extents.push([offset, length]);
    }
  } else {
    const files = [...listFiles(path)].map((file) => ({ file, size: statSync(file).size })).filter(({ size }) => size > 0);
    for (let changed = 0; changed < bytes / 100; ) {
      const { file, size } = files[random.below(files.length)] ?? { file: path, size: 0 };
      const offset = Math.floor(size / 4);
      const length = Math.min(size - offset, MiB);
      overwrite(file, offset, length);
      changed += length;
    }
  }
  return {
    extents,
    undo() {
      for (const { file, offset, bytes: before } of old.reverse()) {
        const fd = openSync(file, 'r+');
        writeSync(fd, before, 0, before.length, offset);
        closeSync(fd);
      }
      for (const [stamp, content] of kept) writeFileSync(stamp, content);
    },
  };
}

function makeImage(image: string, folder: string, mib: number): { bytes: number; files: number } {
  const stage = join(folder, 'B.stage');
  const { files } = copyTree(stage, Math.floor(mib * 0.4) * MiB, 'B');
  const random = createRandom('B random');
  const noise = openSync(join(stage, 'random.bin'), 'w');
  for (let n = 0; n < Math.floor(mib * 0.2); n += 1) writeSync(noise, random.bytes(MiB));
  closeSync(noise);
  const fd = openSync(image, 'w');
  ftruncateSync(fd, mib * MiB);
  closeSync(fd);
  const seed = '11111111-1111-1111-1111-111111111111';
  const args = [
    '-q',
    '-F',
    '-b',
    '4096',
    '-m',
    '0',
    '-E',
    `lazy_itable_init=1,hash_seed=${seed}`,
    '-U',
    seed,
    '-d',
    stage,
    image,
  ];
  const path = `${process.env.PATH}:/sbin:/usr/sbin`;
  const made = spawnSync('mkfs.ext4', args, { encoding: 'utf8', env: { ...process.env, PATH: path } });
  if (made.status !== 0) throw new Error(`Set B needs mkfs.ext4 (Debian: e2fsprogs). ${made.error?.message ?? made.stderr}`);
  rmSync(stage, { recursive: true });
  const whole = openSync(image, 'r');
  fsyncSync(whole);
  closeSync(whole);
  return { bytes: mib * MiB, files };
}

/** Files of 64 MiB at most, each source folder up to its share of the bytes; what is still missing is made. */
function copyTree(target: string, limitBytes: number, name: SetName): { bytes: number; files: number } {
  mkdirSync(target, { recursive: true });
  let bytes = 0;
  let files = 0;
  for (const [source, share] of shares[name]) {
    const cap = Math.floor(limitBytes * share);
    let copied = 0;
    for (const file of listFiles(source)) {
      if (copied > cap - 64 * KiB) break;
      const { size } = statSync(file);
      if (size > 64 * MiB || copied + size > cap || !isReadable(file)) continue;
      mkdirSync(join(target, dirname(file)), { recursive: true });
      copyFileSync(file, join(target, file));
      copied += size;
      files += 1;
    }
    bytes += copied;
  }
  const random = createRandom(`text ${name}`);
  for (let n = 0; bytes < limitBytes - MiB; n += 1) {
    const length = Math.min(limitBytes - bytes, (1 + random.below(64)) * 64 * KiB);
    const folder = join(target, 'made', `d${n >> 6}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${n}.log`), makeText(random, length));
    bytes += length;
    files += 1;
  }
  return { bytes, files };
}

/** Every regular file below the folder that may be read, in the order of names. */
function* listFiles(folder: string): Generator<string> {
  if (!isReadable(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* listFiles(path);
    else if (entry.isFile()) yield path;
  }
}

/** An ordinary user may not read all of /usr. */
function isReadable(path: string): boolean {
  try {
    accessSync(path, fsConstants.R_OK);
    return true;
  } catch {
    return false;
  }
}

interface Random {
  bytes(length: number): Buffer;
  below(limit: number): number;
}

/** AES-CTR over zeros: the same bytes for the same seed. */
function createRandom(seed: string): Random {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const bytes = (length: number): Buffer => cipher.update(Buffer.alloc(length));
  return { bytes, below: (limit) => Number(bytes(8).readBigUInt64LE() % BigInt(limit)) };
}

const words =
  'volume snapshot tenant restore backup chunk error warn node disk time size state active pending project object'.split(' ');

function makeText(random: Random, length: number): Buffer {
  const lines: string[] = [];
  const word = (): string => words[random.below(words.length)] ?? '';
  for (let done = 0; done < length; done += lines.at(-1)?.length ?? 1)
    lines.push(`${1_700_000_000 + random.below(1e8)} ${word()} ${word()} id=${random.below(1e9).toString(16)} ${word()}\n`);
  return Buffer.from(lines.join('')).subarray(0, length);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string', default: join(tmpdir(), 'karri-bench') },
      mib: { type: 'string', default: '2048' },
      only: { type: 'string', default: 'A,B' },
    },
  });
  for (const name of ['A', 'B'] as const)
    if (values.only.includes(name)) console.log(JSON.stringify(provideDataSet(name, values.dir, Number(values.mib))));
}
