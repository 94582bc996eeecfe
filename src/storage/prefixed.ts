import { Fault } from '../base/faults.ts';
import { checkKey, checkPrefix } from './keys.ts';
import type {
  Body,
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectEntry,
  ObjectStat,
  ObjectStore,
  PutOptions,
} from './object-store.ts';

/**
 * A view on the part of a store below one folder, in which keys begin at the root. `prefix` is a key and a slash.
 * Closing the view closes the store below.
 */
export function createPrefixedStore(store: ObjectStore, prefix: string): ObjectStore {
  checkKey(prefix.replace(/\/$/, ''));
  if (!prefix.endsWith('/')) throw new Fault('internal', 'storage.bad_prefix', `The prefix ${prefix} must end in a slash.`);
  return new PrefixedStore(store, prefix);
}

class PrefixedStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #prefix: string;

  constructor(store: ObjectStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  get description(): string {
    return `${this.#prefix} of ${this.#store.description}`;
  }

  get abilities(): ObjectStore['abilities'] {
    return this.#store.abilities;
  }

  async put(key: string, body: Body, options?: PutOptions): Promise<void> {
    return this.#store.put(this.#full(key), body, options);
  }

  async get(key: string, options?: GetOptions): Promise<Buffer> {
    return this.#store.get(this.#full(key), options);
  }

  async stat(key: string, options?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#store.stat(this.#full(key), options);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectEntry> {
    checkPrefix(prefix);
    const { startAfter } = options;
    const inner = startAfter === undefined ? options : { ...options, startAfter: this.#prefix + startAfter };
    for await (const entry of this.#store.list(this.#prefix + prefix, inner)) {
      yield { key: entry.key.slice(this.#prefix.length), sizeBytes: entry.sizeBytes };
    }
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#store.delete(
      keys.map((key) => this.#full(key)),
      options,
    );
  }

  async close(): Promise<void> {
    return this.#store.close();
  }

  // Checked here as well: a key that is too long or empty should be named as the caller wrote it.
  #full(key: string): string {
    checkKey(key);
    return this.#prefix + key;
  }
}
