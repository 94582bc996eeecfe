import { Fault } from '../../base/faults.ts';
import type { Extent } from '../contract.ts';
import { type LeafSlots, slotBytes, slotId } from './map.ts';

/** What a list of changed blocks says of one leaf. */
export interface LeafPromise {
  /** The snapshot it was made against, and what that one has here. */
  readonly snapshot: string;
  readonly slots: LeafSlots;
  /** Whole slots that may differ from it, ascending; offsets from the begin of the leaf. */
  readonly touched: readonly Extent[];
}

/**
 * Compares what was read with what was promised.
 * @throws {Fault} `mover.changed_blocks_lied` (corrupt) that names the first range that differs though the list does not have it
 */
export function refuseLies(
  { snapshot, slots, touched }: LeafPromise,
  found: LeafSlots,
  leafOffset: number,
  leafBytes: number,
): void {
  const runs = touched.values();
  let run = runs.next().value;
  let from: number | undefined;
  let end = 0;
  for (let at = 0; at < leafBytes; at += slotBytes) {
    while (run && at >= run.offset + run.length) run = runs.next().value;
    const isTouched = run !== undefined && at >= run.offset;
    const differs = !isTouched && !isSame(slotId(slots, at / slotBytes), slotId(found, at / slotBytes));
    if (!differs && from !== undefined) break;
    if (!differs) continue;
    from ??= at;
    end = Math.min(at + slotBytes, leafBytes);
  }
  if (from !== undefined) throw lied(snapshot, leafOffset + from, end - from);
}

function isSame(one: Buffer | undefined, other: Buffer | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}

function lied(snapshot: string, offset: number, length: number): Fault {
  return new Fault(
    'corrupt',
    'mover.changed_blocks_lied',
    `The list of changed blocks is wrong: the ${length} bytes at ${offset} differ from snapshot ${snapshot}, and it does not have them.`,
    {
      details: { snapshot, offset, length },
      help: 'Something writes past what keeps the list. Snapshots made by that list since everything was last read may hold old bytes there: take a new one without it, and verify what depends on them.',
    },
  );
}
