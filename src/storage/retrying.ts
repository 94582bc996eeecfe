import { throwIfAborted } from '../base/abort.ts';
import { faultText, isFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import { type RetryOptions, retry } from '../base/retry.ts';
import { joinBody } from './body.ts';
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

export interface RetryingOptions {
  readonly log: Log;
  readonly attempts?: number;
  readonly firstDelayMs?: number;
  readonly maxDelayMs?: number;
}

/**
 * Tries each call again as long as its fault allows it; the last fault is thrown as it came. The defaults bridge about
 * half a minute, a restart of the usual S3 server; what takes longer is for the job queue.
 */
export function createRetryingStore(store: ObjectStore, options: RetryingOptions): ObjectStore {
  return new RetryingStore(store, options);
}

class RetryingStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #options: RetryOptions;

  constructor(store: ObjectStore, options: RetryingOptions) {
    this.#store = store;
    this.#options = {
      attempts: options.attempts ?? 8,
      firstDelayMs: options.firstDelayMs ?? 250,
      maxDelayMs: options.maxDelayMs ?? 15_000,
      onRetry: (attempt, delayMs, error) =>
        options.log.warn(`The bank is tried again: ${faultText(error)}`, {
          attempt,
          delay_ms: Math.round(delayMs),
          bank: store.description,
        }),
    };
  }

  get description(): string {
    return this.#store.description;
  }

  get abilities(): ObjectStore['abilities'] {
    return this.#store.abilities;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<void> {
    await this.#retry(options.signal, async (attempt) => {
      try {
        await this.#store.put(key, body, options);
      } catch (error) {
        // An earlier attempt may have stored the object and lost only its answer: then what is there is ours. Two writers
        // who race with equal bytes both come out as winners, so a body that decides a race must name its writer.
        const ours = attempt > 1 && isFault(error, 'storage.exists') && (await this.#holds(key, body, options));
        if (!ours) throw error;
      }
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<Buffer> {
    return this.#retry(options.signal, () => this.#store.get(key, options));
  }

  async stat(key: string, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    return this.#retry(options.signal, () => this.#store.stat(key, options));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectEntry> {
    // A listing that breaks goes on after the last key it gave, with the full number of attempts for the next one.
    let current = options;
    let entries = this.#store.list(prefix, current)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#retry(options.signal, async (attempt) => {
          if (attempt > 1) entries = this.#store.list(prefix, current)[Symbol.asyncIterator]();
          return entries.next();
        });
        if (next.done) return;
        current = { ...options, startAfter: next.value.key };
        yield next.value;
      }
    } finally {
      await entries.return?.();
    }
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    await this.#retry(options.signal, () => this.#store.delete(keys, options));
  }

  async close(): Promise<void> {
    return this.#store.close();
  }

  async #retry<T>(signal: AbortSignal | undefined, task: (attempt: number) => Promise<T>): Promise<T> {
    try {
      return await retry(task, signal === undefined ? this.#options : { ...this.#options, signal });
    } catch (error) {
      throwIfAborted(signal);
      throw error;
    }
  }

  async #holds(key: string, body: Body, options: CallOptions): Promise<boolean> {
    const wanted = joinBody(body);
    const found = await this.#store.stat(key, options);
    return found?.sizeBytes === wanted.length && wanted.equals(await this.#store.get(key, options));
  }
}
