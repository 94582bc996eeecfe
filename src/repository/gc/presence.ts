import type { ObjectStore } from '../../storage/object-store.ts';
import { eachLimited } from '../each-limited.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { PackTable } from '../index/pack-table.ts';
import { packKey } from '../layout.ts';
import type { LocalNote } from '../local-note.ts';
import { listPacks } from './trust.ts';
import { keptGenerations } from './view.ts';

export interface PresenceOptions {
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  readonly note: LocalNote;
  /** As many packs as one LIST request tells of. */
  readonly packsPerList: number;
}

/** What was known when this machine looked last. */
interface Look {
  readonly generation: number;
  /** How many packs were named when all were listed last, and how often it was looked since. */
  readonly packs: number;
  readonly looks: number;
}

interface Noted extends Look {
  readonly format: number;
  /** Index objects of which every pack was found. */
  readonly objects: readonly string[];
}

const format = 1;
const statsAtOnce = 8;

/**
 * Finds out which of the packs that index objects name are there; a pack that was not found is not relied on. One that was found stays there unless a garbage
 * collection takes it, whose verdict every writer sees that looks again within some generations: so only packs that are new have to be looked for. All
 * are listed when that is no dearer; when it is unknown which verdicts were passed meanwhile; and, as packs can be lost otherwise, too, once as many
 * packs have come and writes begun as the listing takes requests.
 */
export class Presence {
  readonly #options: PresenceOptions;
  /** What the look is about: when the index is loaded anew, so is the note. */
  #packs: PackTable | undefined;
  #last: Look | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** To be called after verdicts were learned, up to this generation, and then the index objects. */
  async learn(generation: number, signal: AbortSignal | undefined): Promise<void> {
    const { index, packsPerList, note } = this.#options;
    const { packs } = index;
    if (this.#packs !== packs) await this.#recall(packs);
    const last = this.#last;
    const named = packs.namedCount;
    const requests = Math.ceil(named / packsPerList);
    const isKnown =
      last !== undefined &&
      generation < last.generation + keptGenerations &&
      last.looks + Math.max(0, named - last.packs) + 1 < requests;
    const unseen = isKnown ? takeFew(packs.unseen(), requests) : undefined;
    if (last && unseen) await this.#lookFor(unseen, signal);
    else if (named > 0) await this.#listAll(signal);
    this.#last =
      last && unseen ? { generation, packs: last.packs, looks: last.looks + 1 } : { generation, packs: named, looks: 0 };
    const objects = [...index.objects].flatMap(([id, numbers]) => (numbers.every((pack) => packs.isSeen(pack)) ? [id] : []));
    await note.write({ format, ...this.#last, objects });
  }

  async #recall(packs: PackTable): Promise<void> {
    const { index, note } = this.#options;
    const noted = (await note.read()) as Noted | undefined;
    this.#packs = packs;
    this.#last = noted?.format === format ? noted : undefined;
    for (const id of (this.#last && noted?.objects) ?? []) for (const pack of index.objects.get(id) ?? []) packs.see(pack);
  }

  async #lookFor(
    unseen: readonly { readonly number: number; readonly id: string }[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { store, index } = this.#options;
    await eachLimited(unseen, statsAtOnce, async ({ number, id }) => {
      if (await store.stat(packKey(id), { signal })) index.packs.see(number);
      else index.distrust([id]);
    });
  }

  async #listAll(signal: AbortSignal | undefined): Promise<void> {
    const { store, index } = this.#options;
    const { packs } = index;
    const absent = new Set(packs.named()); // taken before: what comes later may be missing in the list
    for await (const { packId } of listPacks(store, signal)) {
      const number = packs.find(packId);
      if (number !== undefined && absent.delete(number)) packs.see(number);
    }
    index.distrust([...absent].flatMap((number) => packs.get(number)?.id ?? []));
  }
}

/** All of them when they are fewer than so many. */
function takeFew<T>(items: Iterable<T>, limit: number): T[] | undefined {
  const taken: T[] = [];
  for (const item of items) if (taken.push(item) >= limit) return undefined;
  return taken;
}
