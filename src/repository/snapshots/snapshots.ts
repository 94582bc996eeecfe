import { randomBytes } from 'node:crypto';
import { type Clock, isoTime } from '../../base/clock.ts';
import { Fault, isFault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Purpose, SnapshotOwner } from '../contract.ts';
import { findSnapshotId, snapshotKey, snapshotsPrefix } from '../layout.ts';
import { openObject, ownerHash, sealObject, subjectHash } from '../seal/crypto.ts';
import type { KeyRing } from '../seal/keys.ts';
import type { NewSnapshot, SnapshotRecord } from './record.ts';

export interface SnapshotsOptions {
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly clock: Clock;
}

export interface SnapshotFigures {
  readonly storedBytes: number;
  readonly reusedBytes: number;
  readonly gcGeneration: number;
}

const maxSnapshotBytes = 64 * 1024 * 1024;

/**
 * Snapshot objects, sealed JSON: `snapshots/<subject hash>/<id>`. An id is 6 bytes of epoch ms and 10 random bytes; of an owner's snapshots the time is
 * the owner's, and the first 5 of the 10 bytes are a hash of the owner.
 */
export class Snapshots {
  readonly #options: SnapshotsOptions;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** The record with its name, and the bytes to `put` under it. */
  seal(
    snapshot: NewSnapshot,
    figures: SnapshotFigures,
    purpose: Purpose | undefined,
  ): { readonly record: SnapshotRecord; readonly bytes: Buffer } {
    const { keys, projectId, clock } = this.#options;
    const createdAtMs = clock.now();
    const start = purpose ? this.#ownedStart(purpose.owner) : timeDigits(createdAtMs);
    const random = randomBytes(16).toString('hex').slice(start.length);
    const id = `${subjectHash(keys.writing, snapshot.subject)}-${start}${random}`;
    const writtenFor = purpose && { owner: purpose.owner.id, part: purpose.part };
    const record: SnapshotRecord = {
      id,
      keyId: keys.writing.id,
      createdAtMs,
      ...figures,
      ...snapshot,
      ...(writtenFor && { writtenFor }),
    };
    const bytes = sealObject(keys.writing, projectId, 'snapshot', id, Buffer.from(JSON.stringify(toJson(record))));
    return { record, bytes };
  }

  async put(id: string, bytes: Buffer, signal: AbortSignal | undefined): Promise<void> {
    await this.#options.store.put(snapshotKey(id), bytes, { ifAbsent: true, signal });
  }

  /** Takes back what was put. What it was put for matters more than that this fails; the snapshot is one that nobody was told of. */
  async withdraw(id: string): Promise<void> {
    try {
      await this.#options.store.delete([snapshotKey(id)]);
    } catch (error) {
      this.#options.log.warn(
        'A snapshot that was not finished could not be taken back; the next garbage collection looks at it.',
        {
          snapshot: id,
          reason: String(error),
        },
      );
    }
  }

  /** @throws {Fault} `repository.snapshot_absent` (not-found), `repository.snapshot_damaged` (corrupt) */
  async get(id: string, signal: AbortSignal | undefined): Promise<SnapshotRecord> {
    const { store } = this.#options;
    const key = snapshotKey(id);
    const bytes = await store.get(key, { maxBytes: maxSnapshotBytes, signal }).catch((error: unknown) => {
      if (isFault(error, 'storage.missing')) {
        throw new Fault('not-found', 'repository.snapshot_absent', `Snapshot ${id} is not in ${store.description}.`, {
          cause: error,
        });
      }
      if (isFault(error) && error.kind === 'corrupt') throw damaged(key, error);
      throw error;
    });
    return this.open(id, bytes);
  }

  /** @throws {Fault} `repository.snapshot_damaged` (corrupt) */
  open(id: string, bytes: Buffer): SnapshotRecord {
    const { keys, projectId } = this.#options;
    const opened = openObject(keys.all, projectId, 'snapshot', id, bytes);
    const record = opened && fromJson(opened.plain, id, opened.root.id);
    if (record === undefined) throw damaged(snapshotKey(id));
    return record;
  }

  async list(signal?: AbortSignal): Promise<string[]> {
    const ids: string[] = [];
    for await (const { key } of this.#options.store.list(snapshotsPrefix, { signal })) {
      const id = findSnapshotId(key);
      if (id !== undefined) ids.push(id);
    }
    return ids;
  }

  /** Names of the subject's snapshots that were written for the owner. */
  async listOwned(subject: string, owner: SnapshotOwner, signal?: AbortSignal): Promise<string[]> {
    const { store, keys } = this.#options;
    const ids: string[] = [];
    const prefix = `${snapshotsPrefix}${subjectHash(keys.writing, subject)}/${this.#ownedStart(owner)}`;
    for await (const { key } of store.list(prefix, { signal })) {
      const id = findSnapshotId(key);
      if (id !== undefined) ids.push(id);
    }
    return ids;
  }

  #ownedStart({ id, sinceMs }: SnapshotOwner): string {
    return `${timeDigits(sinceMs)}${ownerHash(this.#options.keys.writing, id)}`;
  }

  /** The newest readable one of the subject, by name, under the writing key. A damaged one is passed over: the next write does without it. */
  async findNewest(subject: string, signal: AbortSignal | undefined): Promise<SnapshotRecord | undefined> {
    for await (const record of this.newestFirst(subject, signal)) return record;
    return undefined;
  }

  /** As `findNewest`, and then the ones before it; each costs one read. */
  async *newestFirst(subject: string, signal: AbortSignal | undefined): AsyncGenerator<SnapshotRecord> {
    const { store, keys, log } = this.#options;
    const ids: string[] = [];
    for await (const { key } of store.list(`${snapshotsPrefix}${subjectHash(keys.writing, subject)}/`, { signal })) {
      const id = findSnapshotId(key);
      if (id !== undefined) ids.push(id);
    }
    for (const id of ids.reverse()) {
      try {
        const record = await this.get(id, signal);
        if (record.keyId === keys.writing.id) yield record;
      } catch (error) {
        if (!isFault(error, 'repository.snapshot_damaged') && !isFault(error, 'repository.snapshot_absent')) throw error;
        log.warn('A snapshot cannot be used as parent.', { snapshot: id, reason: error.message });
      }
    }
  }
}

function timeDigits(ms: number): string {
  return Math.max(0, ms).toString(16).padStart(12, '0');
}

function damaged(key: string, cause?: unknown): Fault {
  return new Fault('corrupt', 'repository.snapshot_damaged', `Snapshot object ${key} is damaged.`, {
    details: { object: key },
    help: 'Put the object back from a copy of the bank, or restore another snapshot.',
    ...(cause !== undefined && { cause }),
  });
}

const format = 1;

function toJson(record: SnapshotRecord): object {
  return {
    format,
    id: record.id,
    kind: record.kind,
    subject: record.subject,
    created_at: isoTime(record.createdAtMs),
    created_at_ms: record.createdAtMs,
    gc_generation: record.gcGeneration,
    size_bytes: record.sizeBytes,
    stored_bytes: record.storedBytes,
    reused_bytes: record.reusedBytes,
    files: record.files,
    digest: record.digest,
    warnings: record.warnings,
    parent: record.parent,
    source: record.source,
    root: record.root,
    ...(record.copiedFrom && { copied_from: { key_id: record.copiedFrom.keyId, snapshot: record.copiedFrom.snapshot } }),
    ...(record.writtenFor && { written_for: record.writtenFor }),
  };
}

/** Authentic JSON, so only its shape is checked; `root` and `source` are checked by whoever reads them. */
function fromJson(bytes: Buffer, id: string, keyId: string): SnapshotRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const value = json as Readonly<Record<string, unknown>>;
  const { kind, subject, digest, warnings, parent } = value;
  const numbers = [value['created_at_ms'], value['size_bytes'], value['stored_bytes'], value['reused_bytes'], value['files']];
  if (value['format'] !== format || value['id'] !== id || (kind !== 'volume' && kind !== 'tree')) return undefined;
  if (typeof subject !== 'string' || typeof digest !== 'string' || (parent !== null && typeof parent !== 'string'))
    return undefined;
  if (!Array.isArray(warnings) || !numbers.every((number) => Number.isSafeInteger(number))) return undefined;
  const gcGeneration = value['gc_generation'];
  if (gcGeneration !== undefined && !Number.isSafeInteger(gcGeneration)) return undefined;
  const [createdAtMs = 0, sizeBytes = 0, storedBytes = 0, reusedBytes = 0, files = 0] = numbers as number[];
  return {
    id,
    keyId,
    kind,
    subject,
    createdAtMs,
    ...(typeof gcGeneration === 'number' && { gcGeneration }),
    sizeBytes,
    storedBytes,
    reusedBytes,
    files,
    digest,
    warnings: warnings.map(String),
    parent,
    source: (value['source'] ?? null) as SnapshotRecord['source'],
    root: (value['root'] ?? null) as SnapshotRecord['root'],
    ...readCopiedFrom(value['copied_from']),
    ...readWrittenFor(value['written_for']),
  };
}

/** A hint: one that cannot be read is none. */
function readCopiedFrom(value: unknown): Pick<SnapshotRecord, 'copiedFrom'> {
  if (typeof value !== 'object' || value === null) return {};
  const { key_id: keyId, snapshot } = value as Readonly<Record<string, unknown>>;
  return typeof keyId === 'string' && typeof snapshot === 'string' ? { copiedFrom: { keyId, snapshot } } : {};
}

function readWrittenFor(value: unknown): Pick<SnapshotRecord, 'writtenFor'> {
  if (typeof value !== 'object' || value === null) return {};
  const { owner, part } = value as Readonly<Record<string, unknown>>;
  return typeof owner === 'string' && typeof part === 'string' ? { writtenFor: { owner, part } } : {};
}
