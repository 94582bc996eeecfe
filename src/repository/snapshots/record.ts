import type { Json } from '../../base/canonical-json.ts';

/** Where a copy comes from: the next copy compares that snapshot with its own, and takes over what is equal. */
export interface CopiedFrom {
  /** Root key of the snapshot in the other repository. */
  readonly keyId: string;
  readonly snapshot: string;
}

/** What a snapshot object says; sealed JSON in the bank. */
export interface SnapshotRecord {
  /** `<subject hash>-<id>`, both 32 hex digits. */
  readonly id: string;
  /** The root key it is sealed with, to which its chunk ids belong. */
  readonly keyId: string;
  readonly kind: 'volume' | 'tree';
  readonly subject: string;
  readonly createdAtMs: number;
  /** The newest generation of garbage collection that its writer knew of when it began; absent in what is older than those. */
  readonly gcGeneration?: number;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly reusedBytes: number;
  readonly files: number;
  readonly digest: string;
  readonly warnings: readonly string[];
  /** The snapshot that unchanged parts were compared with. */
  readonly parent: string | null;
  /** What the source looked like when it was read, so that the next write can tell that nothing changed; the writer of the kind reads it. */
  readonly source: Json;
  /** Where the content begins; the reader of the kind reads it. */
  readonly root: Json;
  /** Only a copy has it. */
  readonly copiedFrom?: CopiedFrom;
  /** Whose it is, and which of his; absent in what was written for nobody. */
  readonly writtenFor?: { readonly owner: string; readonly part: string };
}

/** What a writer hands to `session.finish`; the session adds id, time and its own counters. */
export type NewSnapshot = Pick<
  SnapshotRecord,
  'kind' | 'subject' | 'sizeBytes' | 'files' | 'digest' | 'warnings' | 'parent' | 'source' | 'root' | 'copiedFrom'
>;
