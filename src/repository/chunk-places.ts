import { type ChunkPlace, ChunkTable, createGeneration } from './chunk-table.ts';

/**
 * Where chunks lie, as far as the index objects say it. The table is shared with the workers and holds one place a chunk, in a pack that may be relied on:
 * what it knows is not stored again. The spare table is the main thread's alone and holds what is only good for reading: second places, and places in
 * packs that are not trusted (damaged, missing, about to be collected).
 */
export class ChunkPlaces {
  readonly table: ChunkTable;
  readonly #ensureRoom: (chunks: number) => void;
  #spare: ChunkTable | undefined;
  /** Pack numbers. */
  readonly #distrusted = new Set<number>();

  /** `ensureRoom` makes sure that the table can take so many more chunks. */
  constructor(table: ChunkTable, ensureRoom: (chunks: number) => void) {
    this.table = table;
    this.#ensureRoom = ensureRoom;
  }

  /** At most two: the one to read first comes first. */
  find(id: Uint8Array): ChunkPlace[] {
    const first = this.table.find(id);
    const second = this.#spare?.find(id);
    if (first === undefined) return second === undefined ? [] : [second];
    return second === undefined ? [first] : [first, second];
  }

  /** The caller has made room in the table. */
  add(id: Uint8Array, place: ChunkPlace): void {
    if (this.#distrusted.has(place.pack)) {
      this.#addSpare(id, place);
      return;
    }
    const claim = this.table.claim(id);
    if (claim) this.table.place(claim, place);
    else if (this.table.find(id)?.pack !== place.pack) this.#addSpare(id, place);
  }

  isDistrusted(pack: number): boolean {
    return this.#distrusted.has(pack);
  }

  /** What lies in these packs is from now on stored again when it is met; it can still be read. */
  distrust(packs: ReadonlySet<number>): void {
    for (const pack of packs) this.#distrusted.add(pack);
    this.#take(packs, (id, place) => this.#addSpare(id, place));
  }

  /** No index names these packs any more. */
  remove(packs: ReadonlySet<number>): void {
    this.#spare?.dropPacks(packs, () => undefined);
    this.#take(packs, () => undefined);
    for (const pack of packs) this.#distrusted.delete(pack);
  }

  /** Takes the packs' chunks out of the table, and puts their second places into it where there are trusted ones. */
  #take(packs: ReadonlySet<number>, visit: (id: Uint8Array, place: ChunkPlace) => void): void {
    const promoted: { readonly id: Uint8Array; readonly place: ChunkPlace }[] = [];
    this.table.dropPacks(packs, (id, place) => {
      const second = this.#spare?.find(id);
      if (second && !this.#distrusted.has(second.pack)) {
        this.#spare?.drop(id, second.pack);
        promoted.push({ id, place: second });
      }
      visit(id, place);
    });
    this.#ensureRoom(promoted.length);
    for (const { id, place } of promoted) this.add(id, place);
  }

  #addSpare(id: Uint8Array, place: ChunkPlace): void {
    this.#spare ??= new ChunkTable([createGeneration(0)]);
    const { taken, capacity } = this.#spare.newest;
    if (taken >= capacity * 0.75) this.#spare.addGeneration(createGeneration(2 * capacity));
    const claim = this.#spare.claim(id);
    if (claim) this.#spare.place(claim, place);
  }

  /** The slots that the id has in both tables. */
  slotsOf(id: Uint8Array): ReturnType<ChunkTable['slotsOf']> {
    return [...this.table.slotsOf(id), ...(this.#spare?.slotsOf(id) ?? [])];
  }
}
