import type { Clock } from '../base/clock.ts';
import { createRate, type Rate } from '../base/rate.ts';
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

/** What all stores that are given it share, each way. */
export interface Throttle {
  readonly upload: Rate | undefined;
  readonly download: Rate | undefined;
}

/** Undefined: as fast as it goes. */
export interface ThrottleLimits {
  readonly uploadBytesPerSecond: number | undefined;
  readonly downloadBytesPerSecond: number | undefined;
}

export function createThrottle({ uploadBytesPerSecond, downloadBytesPerSecond }: ThrottleLimits, clock: Clock): Throttle {
  const limit = (bytes: number | undefined): Rate | undefined => (bytes === undefined ? undefined : createRate(bytes, clock));
  return { upload: limit(uploadBytesPerSecond), download: limit(downloadBytesPerSecond) };
}

/**
 * Keeps the bytes of bodies, over many calls, below the throttle's limits; requests, headers and listings are not counted. A call
 * waits before it begins and then goes at full speed. Only an object of unknown size is paid for when it is there.
 */
export function createThrottledStore(store: ObjectStore, throttle: Throttle): ObjectStore {
  return new ThrottledStore(store, throttle);
}

class ThrottledStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #throttle: Throttle;

  constructor(store: ObjectStore, throttle: Throttle) {
    this.#store = store;
    this.#throttle = throttle;
  }

  get description(): string {
    return this.#store.description;
  }

  get abilities(): ObjectStore['abilities'] {
    return this.#store.abilities;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<void> {
    await this.#throttle.upload?.(bodySizeBytes(body), options.signal);
    await this.#store.put(key, body, options);
  }

  async get(key: string, options: GetOptions = {}): Promise<Buffer> {
    const { range, signal } = options;
    if (range) await this.#throttle.download?.(range.length, signal);
    const bytes = await this.#store.get(key, options);
    if (!range) await this.#throttle.download?.(bytes.length, signal);
    return bytes;
  }

  async stat(key: string, options?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#store.stat(key, options);
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectEntry> {
    return this.#store.list(prefix, options);
  }

  async delete(keys: readonly string[], options?: CallOptions): Promise<void> {
    return this.#store.delete(keys, options);
  }

  async close(): Promise<void> {
    return this.#store.close();
  }
}
