import type { Clock } from '../base/clock.ts';
import { toFault } from '../base/faults.ts';
import { bodySizeBytes } from './body.ts';
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

export interface StoreCall {
  readonly operation: 'put' | 'get' | 'stat' | 'list' | 'delete';
  readonly durationMs: number;
  /** Of bodies; requests and headers are not counted. 0 for a call that failed. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Code of the fault the call ended with. */
  readonly fault: string | undefined;
}

/** Tells `onCall` of every call once it has ended; a listing is one call, ended by its reader or by its last page. */
export function createMeasuredStore(store: ObjectStore, clock: Clock, onCall: (call: StoreCall) => void): ObjectStore {
  return new MeasuredStore(store, clock, onCall);
}

class MeasuredStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #onCall: (call: StoreCall) => void;

  constructor(store: ObjectStore, clock: Clock, onCall: (call: StoreCall) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onCall = onCall;
  }

  get description(): string {
    return this.#store.description;
  }

  get abilities(): ObjectStore['abilities'] {
    return this.#store.abilities;
  }

  async put(key: string, body: Body, options?: PutOptions): Promise<void> {
    await this.#measure('put', () => this.#store.put(key, body, options), { sentBytes: () => bodySizeBytes(body) });
  }

  async get(key: string, options?: GetOptions): Promise<Buffer> {
    return this.#measure('get', () => this.#store.get(key, options), { receivedBytes: (bytes) => bytes.length });
  }

  async stat(key: string, options?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#measure('stat', () => this.#store.stat(key, options));
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectEntry> {
    const startedAt = this.#clock.monotonic();
    let fault: string | undefined;
    try {
      yield* this.#store.list(prefix, options);
    } catch (error) {
      fault = toFault(error).code;
      throw error;
    } finally {
      this.#onCall({ operation: 'list', durationMs: this.#clock.monotonic() - startedAt, sentBytes: 0, receivedBytes: 0, fault });
    }
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#measure('delete', () => this.#store.delete(keys, options));
  }

  async close(): Promise<void> {
    return this.#store.close();
  }

  async #measure<T>(
    operation: StoreCall['operation'],
    task: () => Promise<T>,
    bytes: { sentBytes?: () => number; receivedBytes?: (result: T) => number } = {},
  ): Promise<T> {
    const startedAt = this.#clock.monotonic();
    const tell = (sentBytes: number, receivedBytes: number, fault: string | undefined): void =>
      this.#onCall({ operation, durationMs: this.#clock.monotonic() - startedAt, sentBytes, receivedBytes, fault });
    let result: T;
    try {
      result = await task();
    } catch (error) {
      tell(0, 0, toFault(error).code);
      throw error;
    }
    tell(bytes.sentBytes?.() ?? 0, bytes.receivedBytes?.(result) ?? 0, undefined);
    return result;
  }
}
