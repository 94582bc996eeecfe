import { storeFault } from './faults.ts';
import type { CallOptions, GetOptions, ListOptions, ObjectEntry, ObjectStat, ObjectStore } from './object-store.ts';

/** Reads pass, writes and deletes are refused: for looking into a bank that must not change. */
export function createReadOnlyStore(store: ObjectStore): ObjectStore {
  return new ReadOnlyStore(store);
}

class ReadOnlyStore implements ObjectStore {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get description(): string {
    return `${this.#store.description} (read only)`;
  }

  get abilities(): ObjectStore['abilities'] {
    return this.#store.abilities;
  }

  async put(key: string): Promise<void> {
    throw this.#refusal('write', key);
  }

  async get(key: string, options?: GetOptions): Promise<Buffer> {
    return this.#store.get(key, options);
  }

  async stat(key: string, options?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#store.stat(key, options);
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectEntry> {
    return this.#store.list(prefix, options);
  }

  async delete(keys: readonly string[]): Promise<void> {
    throw this.#refusal('delete', keys.join(', '));
  }

  async close(): Promise<void> {
    return this.#store.close();
  }

  #refusal(deed: string, what: string): Error {
    return storeFault('storage.refused', `Refused to ${deed} ${what}: ${this.#store.description} was opened for reading only.`);
  }
}
