import { Fault } from '../../base/faults.ts';
import type { PackEntry } from './format.ts';
import { runPackBytes } from './run-format.ts';

/** As many packs as have a bit: 256 TiB stored. Memory is taken only where bits are set. */
const maxPacks = 2 ** 24;

/**
 * This process's numbers for packs of the bank, and what is known of each, in some 60 bytes a pack. A number stays with its pack as long as
 * the table lives. Main thread only, but for what is shared.
 */
export class PackTable {
  /** One number: how many packs have a number. Workers take numbers from it too. */
  readonly numbers = new Int32Array(new SharedArrayBuffer(4));
  /** Shared with the workers: one bit a pack, set when nobody may store less because of what lies in it. */
  readonly flags = new Int32Array(new SharedArrayBuffer(maxPacks / 8));
  readonly #distrusted = new Set<number>();
  /** In the bank, and in no index object yet. */
  readonly #fresh = new Set<number>();
  /** Per number how many index objects name the pack. */
  #names = new Uint32Array(0);
  /** Per number 1 when the pack was found in the bank. */
  #seen = new Uint8Array(0);
  /** Per number what index objects say of the pack. */
  #entries = Buffer.alloc(0);
  /** Number + 1 of a pack, open addressing by the first bytes of its id. */
  #slots = new Uint32Array(128);
  #count = 0;

  /** The pack's number; a new one when it has none. `entry` is what index objects say of a pack. */
  numberOf(entry: Buffer): number {
    const known = this.#slots[this.#slotOf(entry)] ?? 0;
    if (known > 0) return known - 1;
    const number = Atomics.add(this.numbers, 0, 1);
    this.#insert(number, entry);
    this.#settle(number);
    return number;
  }

  find(packId: string): number | undefined {
    const slot = this.#slots[this.#slotOf(Buffer.from(packId, 'hex'))] ?? 0;
    return slot === 0 ? undefined : slot - 1;
  }

  /** A pack that is in the bank; undefined for any other. */
  get(number: number): PackEntry | undefined {
    if (!this.isDurable(number)) return undefined;
    const at = number * runPackBytes;
    return {
      id: this.#entries.toString('hex', at, at + 16),
      keyId: this.#entries.toString('hex', at + 16, at + 32),
      sizeBytes: this.#entries.readUInt32LE(at + 32),
    };
  }

  *[Symbol.iterator](): Generator<PackEntry> {
    for (let number = 0; number < this.#names.length; number++) {
      const pack = this.get(number);
      if (pack) yield pack;
    }
  }

  /** How many packs index objects name. */
  get namedCount(): number {
    return this.#names.reduce((count, names) => count + (names > 0 ? 1 : 0), 0);
  }

  /** Numbers of the packs that index objects name. */
  *named(): Generator<number> {
    for (let number = 0; number < this.#names.length; number++) if (this.isNamed(number)) yield number;
  }

  /** Packs that index objects name, that nobody has looked for in the bank yet, and of which nothing bad is known. */
  *unseen(): Generator<PackEntry & { readonly number: number }> {
    for (const number of this.named()) {
      const pack = this.isSeen(number) || this.#distrusted.has(number) ? undefined : this.get(number);
      if (pack) yield { ...pack, number };
    }
  }

  isSeen(number: number): boolean {
    return this.#seen[number] === 1;
  }

  /** The pack was found in the bank: from now on it is trusted, unless something bad is known of it. */
  see(number: number): void {
    this.#seen[number] = 1;
    this.#settle(number);
  }

  isDurable(number: number): boolean {
    return this.isNamed(number) || this.#fresh.has(number);
  }

  isNamed(number: number): boolean {
    return (this.#names[number] ?? 0) > 0;
  }

  isTrusted(number: number): boolean {
    return ((this.flags[number >> 5] ?? 0) & (1 << (number & 31))) === 0;
  }

  /** Whether nothing becomes of the pack any more: index objects name it, or it never came into the bank. */
  isSettled(number: number): boolean {
    return this.isNamed(number) || !(this.isDurable(number) || this.isTrusted(number));
  }

  /** Ids of packs that are in the bank and not trusted. */
  listDistrusted(): string[] {
    return [...this.#distrusted].flatMap((number) => this.get(number)?.id ?? []);
  }

  /** A pack of this process has come into the bank. */
  addFresh(number: number, pack: PackEntry): void {
    this.#insert(number, encodePack(pack));
    this.#fresh.add(number);
    this.see(number);
  }

  /** A pack of this process never came into the bank. */
  drop(number: number): void {
    this.#setFlag(number, true);
  }

  /** An index object that names these packs is there. */
  addNames(packs: Iterable<number>): void {
    for (const number of packs) {
      this.#names[number] = (this.#names[number] ?? 0) + 1;
      this.#fresh.delete(number);
      this.#settle(number);
    }
  }

  /** An index object that named these packs is gone. Says whether a trusted pack went with it. */
  removeNames(packs: Iterable<number>): boolean {
    let lost = false;
    for (const number of packs) {
      this.#names[number] = (this.#names[number] ?? 1) - 1;
      lost ||= !this.isNamed(number) && this.isTrusted(number);
      // What it is said to be is of no more interest than the pack itself.
      if (!this.isNamed(number)) {
        this.#distrusted.delete(number);
        this.#seen[number] = 0;
      }
      this.#settle(number);
    }
    return lost;
  }

  /** Says whether it was trusted before. */
  distrust(number: number): boolean {
    const before = this.isTrusted(number);
    if (this.isDurable(number)) this.#distrusted.add(number);
    this.#settle(number);
    return before && !this.isTrusted(number);
  }

  #settle(number: number): void {
    this.#setFlag(number, this.#distrusted.has(number) || !this.isDurable(number) || !this.isSeen(number));
  }

  #setFlag(number: number, isSet: boolean): void {
    if (isSet) Atomics.or(this.flags, number >> 5, 1 << (number & 31));
    else Atomics.and(this.flags, number >> 5, ~(1 << (number & 31)));
  }

  #insert(number: number, entry: Buffer): void {
    if (number >= maxPacks) {
      throw new Fault(
        'unsupported',
        'repository.too_many_packs',
        `A repository with more than ${maxPacks} packs cannot be used.`,
        {
          help: 'Forget snapshots and collect garbage, or begin another repository.',
        },
      );
    }
    if (number >= this.#names.length) this.#grow(Math.max(1024, 2 * number));
    entry.copy(this.#entries, number * runPackBytes, 0, runPackBytes);
    if (++this.#count * 2 > this.#slots.length) this.#rehash();
    this.#slots[this.#slotOf(entry)] = number + 1;
  }

  #grow(length: number): void {
    const names = new Uint32Array(length);
    names.set(this.#names);
    const seen = new Uint8Array(length);
    seen.set(this.#seen);
    const entries = Buffer.alloc(length * runPackBytes);
    this.#entries.copy(entries);
    this.#names = names;
    this.#seen = seen;
    this.#entries = entries;
  }

  #rehash(): void {
    const numbers = this.#slots.filter((slot) => slot > 0);
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (const slot of numbers) this.#slots[this.#slotOf(this.#entries.subarray((slot - 1) * runPackBytes))] = slot;
  }

  /** Where the pack of that id stands, or would. */
  #slotOf(id: Buffer): number {
    const mask = this.#slots.length - 1;
    let at = id.readUInt32LE(0) & mask;
    for (;;) {
      const slot = this.#slots[at] ?? 0;
      const known = (slot - 1) * runPackBytes;
      if (slot === 0 || this.#entries.compare(id, 0, 16, known, known + 16) === 0) return at;
      at = (at + 1) & mask;
    }
  }
}

function encodePack({ id, keyId, sizeBytes }: PackEntry): Buffer {
  const bytes = Buffer.alloc(runPackBytes);
  bytes.write(id, 0, 'hex');
  bytes.write(keyId, 16, 'hex');
  bytes.writeUInt32LE(sizeBytes, 32);
  return bytes;
}
