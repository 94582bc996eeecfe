import type { Fault } from '../../base/faults.ts';
import type { RepositoryCore } from '../core.ts';
import { eachLimited } from '../each-limited.ts';
import type { BlockBatch } from './chunk-source.ts';
import { type BadPiece, packDamaged } from './open-batch.ts';

/** Chunks that nothing in the bank gives any more. */
export interface LostChunks {
  readonly fault: Fault;
  /** Positions in the list of ids. */
  readonly wants: readonly number[];
}

export interface PlaceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Go on over what is lost. */
  readonly salvage?: boolean | undefined;
}

const idBytes = 32;

/**
 * Hands all chunks of the list to `place`, batch by batch, as many at once as keep the threads busy. What does not open is tried once more from another
 * pack, where there is one.
 * @throws {Fault} the first loss, unless told to go on: then all of them are given
 */
export async function placeChunksOf(
  core: RepositoryCore,
  ids: Uint8Array,
  place: (batch: BlockBatch) => Promise<readonly BadPiece[]>,
  { signal, salvage }: PlaceOptions,
): Promise<LostChunks[]> {
  const lost: LostChunks[] = [];
  const onDamage = salvage ? (fault: Fault, wants: readonly number[]): void => void lost.push({ fault, wants }) : undefined;
  const placeAll = async (batches: AsyncIterable<BlockBatch>): Promise<LostChunks[]> => {
    const bad: LostChunks[] = [];
    await eachLimited(batches, core.threads + 1, async (batch) => {
      for (const { packId, what, wants } of await place(batch)) {
        const fault = packDamaged(packId, what);
        core.noteDamage(fault);
        bad.push({ fault, wants });
      }
    });
    return bad;
  };
  const bad = await placeAll(core.source.batches(ids, { signal, onDamage }));
  if (bad.length === 0) return lost;
  const again = bad.flatMap(({ wants }) => [...wants]);
  const someIds = Buffer.concat(again.map((want) => ids.subarray(want * idBytes, (want + 1) * idBytes)));
  const renumbered = renumber(
    core.source.batches(someIds, {
      signal,
      onDamage:
        onDamage &&
        ((fault, wants) =>
          onDamage(
            fault,
            wants.map((want) => again[want] ?? 0),
          )),
    }),
    again,
  );
  const worse = await placeAll(renumbered);
  const [first] = worse;
  if (first !== undefined && !salvage) throw first.fault;
  return [...lost, ...worse];
}

/** Batches of a part of the list, with the positions in the whole. */
async function* renumber(batches: AsyncIterable<BlockBatch>, positions: readonly number[]): AsyncGenerator<BlockBatch> {
  for await (const batch of batches) yield { ...batch, wants: batch.wants.map((want) => positions[want] ?? 0) };
}
