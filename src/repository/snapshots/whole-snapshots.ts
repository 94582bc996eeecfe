import { createHmac, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { errnoOf, fileFault } from '../file-faults.ts';

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

export interface WholeSnapshotsOptions {
  readonly path: string;
  /** For the MAC over the file. */
  readonly key: Buffer;
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
  readonly #options: WholeSnapshotsOptions;
  #kept: Kept = nothing;

  constructor(options: WholeSnapshotsOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const bytes = await readFile(this.#options.path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw fileFault(error, 'read', this.#options.path);
    });
    this.#kept = (bytes && this.#decode(bytes)) ?? nothing;
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
    const { path } = this.#options;
    const unfinished = `${path}-${randomBytes(8).toString('hex')}.new`;
    try {
      await writeFile(unfinished, this.#encode(), { mode: 0o600 });
      await rename(unfinished, path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileFault(error, 'write', path); // somebody has cleared the folder
    }
  }

  #encode(): string {
    const text = JSON.stringify({ format, ...this.#kept });
    return `${this.#macOf(text)}\n${text}`;
  }

  #decode(bytes: Buffer): Kept | undefined {
    const [mac, text] = bytes.toString().split('\n');
    if (mac === undefined || text === undefined || mac !== this.#macOf(text)) return undefined;
    const { format: found, ...kept } = JSON.parse(text) as Kept & { readonly format: unknown };
    return found === format ? kept : undefined;
  }

  #macOf(text: string): string {
    return createHmac('sha256', this.#options.key).update(text).digest('hex');
  }
}
