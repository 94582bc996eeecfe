import { KiB } from '../../base/bytes.ts';
import type { Json } from '../../base/canonical-json.ts';
import { Fault } from '../../base/faults.ts';
import type { SnapshotRecord } from '../snapshots/record.ts';

/**
 * How a volume is written down; FORMAT.md, "Volumes". Slots of 256 KiB, aligned; the last one may be shorter. 1024 slots make a
 * leaf (256 MiB): a bitmap of the slots that are not all zero, then their chunk ids. A leaf is a chunk itself, so an unchanged one is
 * stored once. The snapshot's root lists the leaves; null stands for one that is all zero.
 */
export const slotBytes = 256 * KiB;
export const slotsPerLeaf = 1024;
export const leafSpanBytes = slotBytes * slotsPerLeaf;
const bitmapBytes = slotsPerLeaf / 8;
const idBytes = 32;
const zeroId = Buffer.alloc(idBytes);
/** 128 TiB; the root of a larger one would not fit into a snapshot object. */
const maxLeaves = 1 << 19;

/** Ids of all slots of a leaf, 32 bytes each; all zero bytes for a zero slot. */
export type LeafSlots = Buffer;

export function emptySlots(): LeafSlots {
  return Buffer.alloc(slotsPerLeaf * idBytes);
}

export function slotId(slots: LeafSlots, slot: number): Buffer | undefined {
  const id = slots.subarray(slot * idBytes, slot * idBytes + idBytes);
  return id.equals(zeroId) ? undefined : id;
}

/** Undefined for a leaf without a single chunk. */
export function encodeLeaf(slots: LeafSlots): Buffer | undefined {
  const bitmap = Buffer.alloc(bitmapBytes);
  const ids: Buffer[] = [];
  for (let slot = 0; slot < slotsPerLeaf; slot++) {
    const id = slotId(slots, slot);
    if (id === undefined) continue;
    bitmap[slot >> 3] = (bitmap[slot >> 3] ?? 0) | (1 << (slot & 7));
    ids.push(id);
  }
  return ids.length === 0 ? undefined : Buffer.concat([bitmap, ...ids]);
}

/** @throws {Fault} `repository.snapshot_damaged` (corrupt) when the bytes are no leaf of that many slots */
export function decodeLeaf(bytes: Buffer, slotCount: number, snapshotId: string): LeafSlots {
  const slots = emptySlots();
  let at = bitmapBytes;
  for (let slot = 0; slot < slotsPerLeaf && bytes.length >= bitmapBytes; slot++) {
    if (((bytes[slot >> 3] ?? 0) & (1 << (slot & 7))) === 0) continue;
    if (slot >= slotCount || at + idBytes > bytes.length) throw mapDamaged(snapshotId);
    bytes.copy(slots, slot * idBytes, at, at + idBytes);
    at += idBytes;
  }
  if (at !== bytes.length) throw mapDamaged(snapshotId);
  return slots;
}

export function leafCount(sizeBytes: number): number {
  const count = Math.ceil(sizeBytes / leafSpanBytes);
  if (count > maxLeaves) {
    throw new Fault('unsupported', 'repository.volume_too_large', `A volume of ${sizeBytes} bytes is beyond 128 TiB.`);
  }
  return count;
}

/** Slots in use of the given leaf. */
export function slotCountOf(sizeBytes: number, leaf: number): number {
  return Math.min(slotsPerLeaf, Math.ceil((sizeBytes - leaf * leafSpanBytes) / slotBytes));
}

/** What the digest of a volume is the keyed hash of: size, then the id of each leaf, zeros for an all-zero one. */
export function digestInput(sizeBytes: number, leaves: readonly (Uint8Array | undefined)[]): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(sizeBytes));
  return Buffer.concat([size, ...leaves.map((leaf) => leaf ?? zeroId)]);
}

export function digestText(hash: Uint8Array): string {
  return `blake3-keyed:${Buffer.from(hash).toString('hex')}`;
}

export interface VolumeRoot {
  readonly leaves: readonly (Buffer | undefined)[];
}

export function encodeRoot({ leaves }: VolumeRoot): Json {
  return { slot_bytes: slotBytes, leaves: leaves.map((leaf) => leaf?.toString('hex') ?? null) };
}

/** @throws {Fault} `repository.not_a_volume` (invalid), `repository.snapshot_damaged` (corrupt) */
export function decodeRoot({ id, kind, root, sizeBytes }: SnapshotRecord): VolumeRoot {
  if (kind !== 'volume') throw new Fault('invalid', 'repository.not_a_volume', `Snapshot ${id} is a ${kind}, not a volume.`);
  if (root === null || typeof root !== 'object' || Array.isArray(root)) throw mapDamaged(id);
  const { slot_bytes: width, leaves } = root as { readonly [key: string]: Json };
  if (width !== slotBytes || !Array.isArray(leaves) || leaves.length !== leafCount(sizeBytes)) throw mapDamaged(id);
  return {
    leaves: leaves.map((leaf: unknown) => {
      if (leaf === null) return undefined;
      if (typeof leaf !== 'string' || !/^[0-9a-f]{64}$/.test(leaf)) throw mapDamaged(id);
      return Buffer.from(leaf, 'hex');
    }),
  };
}

function mapDamaged(snapshotId: string): Fault {
  return new Fault('corrupt', 'repository.snapshot_damaged', `The map of snapshot ${snapshotId} contradicts itself.`, {
    details: { snapshot: snapshotId },
    help: 'Restore another snapshot; a new protect of the same source makes a sound one.',
  });
}
