import type { Fault } from '../base/faults.ts';

/**
 * Bytes under keys, whoever keeps them. Karri's banks write every object once: a key that exists is never written with
 * other bytes, so `put` of the same key and bytes twice is harmless.
 *
 * Keys: `[A-Za-z0-9._~=@-]` parts joined by `/`; no leading or trailing slash, no empty, `.` or `..` part; at most 512 bytes,
 * 255 a part. No key is the folder of another (`a` beside `a/b`): a store may refuse the second. What lies in a bank under
 * a name that is no key is not ours: it is never listed.
 *
 * Laws (each is a test of `plugin/conformance/bank.ts`): a put that returned is read, listed and stat'ed by everybody at
 * once; a reader never sees a part of an object; listing is in ascending byte order of the key and complete; deleting
 * what is not there succeeds; every call ends when its signal aborts; errors are the faults named below. A put that failed or
 * was aborted may still land a little later (seen on Swift), whole: who must be sure writes under a name used only once.
 */
export interface ObjectStore {
  /** Where this is, for messages: `s3://bucket/prefix at http://…`. No secret in it. */
  readonly description: string;
  readonly abilities: StoreAbilities;

  /**
   * Stores the body durably under the key. The parts of an array body are joined; the caller must not change the bytes until the promise settles.
   * @throws {Fault} `storage.exists` (conflict) with `ifAbsent` where the store has conditional put and the key is taken
   */
  put(key: string, body: Body, options?: PutOptions): Promise<void>;

  /**
   * The whole object, or the given range of it, in one buffer that is the caller's own.
   * @throws {Fault} `storage.missing` (not-found); `storage.short` (corrupt) when fewer bytes came than the range asked for
   */
  get(key: string, options?: GetOptions): Promise<Buffer>;

  /** Size of the object; undefined when there is none. */
  stat(key: string, options?: CallOptions): Promise<ObjectStat | undefined>;

  /** Every object whose key begins with the prefix, ascending; `startAfter` is a full key. Pages are fetched as they are consumed. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectEntry>;

  /** Deletes each key; a missing one counts as deleted. Throws the first failure after having tried all. */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>;

  /**
   * What only the store itself can find out: checksum modes, object lock, clock difference. May write below `scratch`, a key
   * without trailing slash; whoever calls removes what is left there. Wrappers do not pass it on.
   */
  probe?(scratch: string, options?: CallOptions): Promise<readonly Finding[]>;

  close(): Promise<void>;
}

/** One thing that was found out about a bank, for people to read. */
export interface Finding {
  readonly name: string;
  /** `broken`: a law does not hold, and the bank is not fit. `unknown`: it could not be tried. */
  readonly outcome: 'yes' | 'no' | 'broken' | 'unknown';
  /** What was seen. */
  readonly seen: string;
  /** What Karri does because of it: uses it, avoids it, or nothing. */
  readonly therefore: string;
}

export type Body = Uint8Array | readonly Uint8Array[];

export interface StoreAbilities {
  /** `put` with `ifAbsent` is atomic. Where false, `ifAbsent` is ignored and callers use schemes that do not need it. */
  readonly conditionalPut: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PutOptions extends CallOptions {
  readonly ifAbsent?: boolean;
}

export interface GetOptions extends CallOptions {
  /** Bytes; `length` is exact: a shorter answer is the fault `storage.short`. */
  readonly range?: { readonly offset: number; readonly length: number };
  /** Refuses (fault `storage.too_large`, corrupt) to read an object beyond this many bytes. */
  readonly maxBytes?: number;
}

export interface ListOptions extends CallOptions {
  readonly startAfter?: string;
}

export interface ObjectEntry {
  readonly key: string;
  readonly sizeBytes: number;
}

export interface ObjectStat {
  readonly sizeBytes: number;
}

/** The codes a store may throw; anything else is a defect of the store. */
export type StoreFaultCode =
  | 'storage.missing'
  | 'storage.exists'
  | 'storage.short'
  | 'storage.too_large'
  | 'storage.bad_key'
  | 'storage.unreachable' // no connection, DNS, time-out; retry later
  | 'storage.throttled' // 429, 503 SlowDown; retry later
  | 'storage.refused' // credentials or permissions; retry never
  | 'storage.no_bank' // bucket or folder is not there; retry never
  | 'storage.full' // no space; retry never
  | 'storage.failed'; // anything else the store answered

export type StoreFault = Fault & { readonly code: StoreFaultCode };
