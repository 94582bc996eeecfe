import { throwIfAborted } from '../base/abort.ts';
import { bodyParts } from './body.ts';
import { existsFault, missingFault, shortFault, tooLargeFault } from './faults.ts';
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

/** Objects in a map of this process: for tests, and as the plainest reading of the laws. */
export function createMemoryStore(options: { readonly conditionalPut?: boolean } = {}): ObjectStore {
  return new MemoryStore(options.conditionalPut ?? true);
}

class MemoryStore implements ObjectStore {
  readonly description = 'memory';
  readonly abilities: { readonly conditionalPut: boolean };
  readonly #objects = new Map<string, Buffer>();

  constructor(conditionalPut: boolean) {
    this.abilities = { conditionalPut };
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<void> {
    checkKey(key);
    throwIfAborted(options.signal);
    if (options.ifAbsent && this.abilities.conditionalPut && this.#objects.has(key)) throw existsFault(this.description, key);
    this.#objects.set(key, Buffer.concat(bodyParts(body)));
  }

  async get(key: string, options: GetOptions = {}): Promise<Buffer> {
    checkKey(key);
    throwIfAborted(options.signal);
    const object = this.#objects.get(key);
    if (!object) throw missingFault(this.description, key);
    const { range, maxBytes = Number.POSITIVE_INFINITY } = options;
    if (!range && object.length > maxBytes) throw tooLargeFault(this.description, key, object.length, maxBytes);
    const part = range ? object.subarray(range.offset, range.offset + range.length) : object;
    if (range && part.length < range.length) throw shortFault(this.description, key, range.length, part.length);
    const own = Buffer.allocUnsafeSlow(part.length);
    part.copy(own);
    return own;
  }

  async stat(key: string, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    checkKey(key);
    throwIfAborted(options.signal);
    const object = this.#objects.get(key);
    return object && { sizeBytes: object.length };
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectEntry> {
    checkPrefix(prefix);
    const { startAfter = '' } = options;
    // Keys are ASCII, so the order of UTF-16 units is the order of bytes.
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > startAfter).sort();
    for (const key of keys) {
      throwIfAborted(options.signal);
      const object = this.#objects.get(key);
      if (object) yield { key, sizeBytes: object.length };
    }
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key);
    throwIfAborted(options.signal);
    for (const key of keys) this.#objects.delete(key);
  }

  async close(): Promise<void> {}
}
