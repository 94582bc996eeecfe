import type { LocalNote } from '../local-note.ts';

/** What a snapshot was found whole on. */
interface Ground {
  /** Names of all index objects that were there. */
  readonly objects: readonly string[];
  /** Ids of packs that were not trusted. */
  readonly distrusted: readonly string[];
}

interface Kept extends Ground {
  readonly snapshots: readonly string[];
}

const nothing: Kept = { objects: [], distrusted: [], snapshots: [] };
/** The newest ones; a snapshot that is nobody's parent any more is asked for by nobody. */
const maxSnapshots = 1000;
const format = 1;

/**
 * Remembers, also between two runs of the process, of which snapshots every chunk was found to be there: those this repository has written. It
 * stays so as long as no index object went and no pack lost its trust; then a write need not look at what did not change since. Only ever a
 * cache: without it everything is looked at again.
 */
export class WholeSnapshots {
  readonly #note: LocalNote;
  #kept: Kept = nothing;

  constructor(note: LocalNote) {
    this.#note = note;
  }

  async load(): Promise<void> {
    const noted = (await this.#note.read()) as (Kept & { readonly format: unknown }) | undefined;
    this.#kept = noted?.format === format ? noted : nothing;
  }

  /** Forgets what no longer stands. */
  check(ground: Ground): void {
    const objects = new Set(ground.objects);
    const distrusted = new Set(this.#kept.distrusted);
    const stands = this.#kept.objects.every((id) => objects.has(id)) && ground.distrusted.every((id) => distrusted.has(id));
    if (!stands) this.#kept = nothing;
  }

  has(snapshot: string): boolean {
    return this.#kept.snapshots.includes(snapshot);
  }

  /** The snapshot was found whole on this ground, and `check` was called for it. */
  async add(snapshot: string, ground: Ground): Promise<void> {
    const snapshots = [...this.#kept.snapshots, snapshot].slice(-maxSnapshots);
    this.#kept = { objects: ground.objects, distrusted: ground.distrusted, snapshots };
    await this.#note.write({ format, ...this.#kept });
  }
}
