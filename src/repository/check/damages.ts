import type { Damage, LostRange, SnapshotHit } from '../contract.ts';

/** So many ranges are listed in all; of what is beyond them only the number is kept, so that memory does not grow with the damage. */
const maxRanges = 20_000;

interface Hit {
  isLost: boolean;
  ranges: LostRange[];
  moreRanges: number;
}

/** What a check has found so far, by object. */
export class DamageList {
  readonly #entries = new Map<
    string,
    { readonly kind: Damage['kind']; readonly what: string; readonly hits: Map<string, Hit> }
  >();
  readonly #maxRanges: number;
  #ranges = 0;

  constructor(limit = maxRanges) {
    this.#maxRanges = limit;
  }

  /** What was said of an object first stays. */
  add(object: string, kind: Damage['kind'], what: string): void {
    if (!this.#entries.has(object)) this.#entries.set(object, { kind, what, hits: new Map() });
  }

  /** The snapshot needs the object, which was added. `part` is what cannot be read because of that; nothing when all of it can. */
  hit(object: string, snapshot: string, part?: LostRange | 'all'): void {
    const hits = this.#entries.get(object)?.hits;
    if (hits === undefined) return;
    const hit = hits.get(snapshot) ?? { isLost: false, ranges: [], moreRanges: 0 };
    hits.set(snapshot, hit);
    if (part === 'all') hit.isLost = true;
    else if (part !== undefined) this.#addRange(hit, part);
  }

  #addRange(hit: Hit, part: LostRange): void {
    const last = hit.ranges.at(-1);
    const joined = last && joinRanges(last, part);
    if (joined) hit.ranges[hit.ranges.length - 1] = joined;
    else if (this.#ranges >= this.#maxRanges) hit.moreRanges++;
    else {
      this.#ranges++;
      hit.ranges.push(part);
    }
  }

  /** What is known to be wrong with the object. */
  find(object: string): string | undefined {
    return this.#entries.get(object)?.what;
  }

  /** Snapshots that are hit by anything. */
  get hitSnapshots(): ReadonlySet<string> {
    return new Set([...this.#entries.values()].flatMap(({ hits }) => [...hits.keys()]));
  }

  /** A snapshot that has been forgotten meanwhile is hit by nothing. */
  forget(snapshot: string): void {
    for (const { hits } of this.#entries.values()) hits.delete(snapshot);
  }

  /** By object. */
  list(): Damage[] {
    return [...this.#entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([object, { kind, what, hits }]) => ({ object, kind, what, hits: [...hits].map(([id, hit]) => finishHit(id, hit)) }));
  }
}

function finishHit(snapshot: string, { isLost, ranges, moreRanges }: Hit): SnapshotHit {
  const sorted = [...ranges].sort((a, b) => (a.path === b.path ? a.offset - b.offset : a.path < b.path ? -1 : 1));
  const joined: LostRange[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    const both = last && joinRanges(last, range);
    if (both) joined[joined.length - 1] = both;
    else joined.push(range);
  }
  return { snapshot, isLost, ranges: joined, moreRanges };
}

/** One range in place of two that overlap or meet. */
function joinRanges(a: LostRange, b: LostRange): LostRange | undefined {
  if (a.path !== b.path || a.untilPath !== b.untilPath) return undefined;
  const offset = Math.min(a.offset, b.offset);
  const end = Math.max(a.offset + a.length, b.offset + b.length);
  return end - offset <= a.length + b.length ? { ...a, offset, length: end - offset } : undefined;
}

/** One line: the object, what is wrong with it, and what that costs. */
export function damageLine({ object, what, hits }: Damage): string {
  const costs = hits.length === 0 ? 'No snapshot needs it' : `Needed by ${hits.map(hitText).join('; ')}`;
  return `${object}: ${what}. ${costs}.`;
}

/** Ranges told of one snapshot in one line. */
const rangesTold = 3;

function hitText({ snapshot, isLost, ranges, moreRanges }: SnapshotHit): string {
  if (isLost) return `${snapshot} (lost)`;
  if (ranges.length === 0) return `${snapshot} (all of it can be read)`;
  const more = ranges.length - rangesTold + moreRanges;
  const told = ranges.slice(0, rangesTold).map(rangeText);
  return `${snapshot} (lost: ${told.join(', ')}${more > 0 ? ` and ${more} more` : ''})`;
}

export function rangeText({ path, untilPath, offset, length }: LostRange): string {
  if (untilPath !== undefined) {
    const from = path === '' ? '' : ` behind "${path}"`;
    return `everything${from}${untilPath === '' ? '' : ` up to "${untilPath}"`}`;
  }
  return `${path === '' ? '' : `"${path}" `}bytes ${offset} to ${offset + length - 1}`;
}
