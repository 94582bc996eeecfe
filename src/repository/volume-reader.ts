import { Fault } from '../base/faults.ts';
import type { TransferOptions } from './contract.ts';
import type { RepositoryCore } from './core.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import { decodeRoot, leafSpanBytes, slotBytes, slotId } from './volume-map.ts';
import { readLeaves } from './volume-restorer.ts';

/** Bytes of a volume straight out of the bank. All of them are in memory at once: ask for a few MiB. */
export async function readVolume(
  core: RepositoryCore,
  record: SnapshotRecord,
  offset: number,
  length: number,
  { signal }: TransferOptions,
): Promise<Buffer> {
  const { leaves } = decodeRoot(record);
  if (
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(length) ||
    offset < 0 ||
    length < 0 ||
    offset + length > record.sizeBytes
  ) {
    throw new Fault(
      'invalid',
      'repository.bad_range',
      `Bytes ${offset} to ${offset + length} are not within a volume of ${record.sizeBytes} bytes.`,
    );
  }
  const bytes = Buffer.alloc(length);
  if (length === 0) return bytes;
  const firstLeaf = Math.floor(offset / leafSpanBytes);
  const lastLeaf = Math.floor((offset + length - 1) / leafSpanBytes);
  const maps = await readLeaves(core, record, firstLeaf, leaves.slice(firstLeaf, lastLeaf + 1), signal);
  const ids: Buffer[] = [];
  const starts: number[] = [];
  for (let at = Math.floor(offset / slotBytes) * slotBytes; at < offset + length; at += slotBytes) {
    const slots = maps[Math.floor(at / leafSpanBytes) - firstLeaf];
    const id = slots && slotId(slots, (at % leafSpanBytes) / slotBytes);
    if (id === undefined) continue;
    ids.push(id);
    starts.push(at);
  }
  const chunks = await core.source.fetch(Buffer.concat(ids), { signal });
  chunks.forEach((chunk, at) => {
    const start = (starts[at] ?? 0) - offset;
    chunk.copy(bytes, Math.max(0, start), Math.max(0, -start));
  });
  return bytes;
}
