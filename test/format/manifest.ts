import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { goldenFolder } from './golden-content.ts';

/** What stands in a golden repository, told by the file system it was made from and not by the code that wrote it. */
export interface Manifest {
  readonly project: string;
  readonly provider_key: string;
  readonly snapshots: readonly ExpectedSnapshot[];
}

export interface ExpectedSnapshot {
  readonly id: string;
  readonly subject: string;
  readonly parent: string | null;
  /** Of a volume. */
  readonly volume?: VolumeDescription;
  /** Of a tree: a line for each name, as `describeTree` gives them. */
  readonly tree?: readonly string[];
}

export interface VolumeDescription {
  readonly size: number;
  /** SHA-256 of every slot of 256 KiB that is not zero, by its place. */
  readonly slots: Readonly<Record<string, string>>;
}

const slotBytes = 256 << 10;

export const manifestName = 'manifest.json';

/** The golden repositories that have a manifest. */
export function listManifests(): string[] {
  return readdirSync(goldenFolder).filter((name) => readdirSync(join(goldenFolder, name)).includes(manifestName));
}

export function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(goldenFolder, name, manifestName), 'utf8')) as Manifest;
}

/** Of all slots, or of some by their places. */
export function describeVolume(path: string, places?: readonly string[]): VolumeDescription {
  const slots: Record<string, string> = {};
  const slot = Buffer.alloc(slotBytes);
  const zeros = Buffer.alloc(slotBytes);
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    for (const place of places?.map(Number) ?? Array.from({ length: Math.ceil(size / slotBytes) }).keys()) {
      const bytes = slot.subarray(0, readSync(fd, slot, 0, slotBytes, place * slotBytes));
      if (!bytes.equals(zeros.subarray(0, bytes.length))) slots[`${place}`] = createHash('sha256').update(bytes).digest('hex');
    }
    return { size, slots };
  } finally {
    closeSync(fd);
  }
}

/** Whether the file takes no more of the disk than that, and a little: the rest of it is holes. */
export function takesAtMost(path: string, dataBytes: number): boolean {
  return statSync(path).blocks * 512 <= dataBytes + (64 << 10);
}
