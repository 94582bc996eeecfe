import { createLimit, type Limit } from '../base/limit.ts';
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

/** At most `width` calls are under way at once; the rest wait in order. A listing holds a place only while it fetches. */
export function createLimitedStore(store: ObjectStore, width: number): ObjectStore {
  return new LimitedStore(store, createLimit(width));
}

class LimitedStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #limit: Limit;

  constructor(store: ObjectStore, limit: Limit) {
    this.#store = store;
    this.#limit = limit;
  }

  get description(): string {
    return this.#store.description;
  }

  get abilities(): ObjectStore['abilities'] {
    return this.#store.abilities;
  }

  async put(key: string, body: Body, options?: PutOptions): Promise<void> {
    return this.#limit(() => this.#store.put(key, body, options));
  }

  async get(key: string, options?: GetOptions): Promise<Buffer> {
    return this.#limit(() => this.#store.get(key, options));
  }

  async stat(key: string, options?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#limit(() => this.#store.stat(key, options));
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectEntry> {
    const entries = this.#store.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#limit(() => entries.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await entries.return?.();
    }
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#limit(() => this.#store.delete(keys, options));
  }

  async close(): Promise<void> {
    return this.#store.close();
  }
}
