import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { GcWork } from './gc/record.ts';

/** What `openRepository` needs. */
export interface RepositoryOptions {
  /** A view on the bank in which this repository's keys begin at the root. */
  readonly store: ObjectStore;
  /** Who owns the data: goes into the associated data of everything sealed. */
  readonly projectId: string;
  /** 32 bytes that wrap the repository's own random key. */
  readonly providerKey: Uint8Array;
  /** Make the repository when there is none; otherwise that is the fault `repository.absent`. */
  readonly create: boolean;
  readonly log: Log;
  /** Worker threads for everything that costs CPU. */
  readonly threads: number;
  /** Where scratch files may go; made when missing. What is known of the index is kept there between two runs: some 60 bytes a chunk, which may be deleted at any time. */
  readonly scratchFolder: string;
  /** Threads and tables are let go after so long without use; 5 minutes when not given. */
  readonly restAfterMs?: number;
}

/** Whose snapshots they are: known before they are written, so that what a writer left that died is found again. */
export interface SnapshotOwner {
  readonly id: string;
  /** Milliseconds since the epoch. Goes into the names of the owner's snapshots, so it is the same at every try. */
  readonly sinceMs: number;
}

export interface Purpose {
  readonly owner: SnapshotOwner;
  /** Which of the owner's snapshots of the subject it is, e.g. the step that writes it. One that was written for the same part before is given instead of being written again. */
  readonly part: string;
  /** That one is forgotten instead, and everything is written. */
  readonly anew?: boolean;
}

export interface WriteOptions {
  /** Names what is backed up, e.g. `Host::Block#<id>`; the newest snapshot of the same subject is the parent. */
  readonly subject: string;
  readonly level?: 'fast' | 'default';
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Read every byte even where size and times say that nothing changed. */
  readonly readEverything?: boolean;
  /**
   * Read every byte and compare what lies outside the changed extents with the snapshot they are since.
   * A difference there is the fault `mover.changed_blocks_lied` (corrupt), and nothing is published.
   */
  readonly verifyChanged?: boolean;
  readonly purpose?: Purpose;
}

/** See `copySnapshot`. The copy keeps subject, kind and warnings of its original. */
export interface CopyOptions {
  readonly level?: 'fast' | 'default';
  readonly signal?: AbortSignal;
  /** `write` into the repository that is copied to. */
  readonly onProgress?: (progress: Progress) => void;
  readonly purpose?: Purpose;
}

export interface TransferOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** A restore goes on over damage: what cannot be had reads as zeros and is listed under `damaged`. Others ignore it. */
  readonly salvage?: boolean;
  /**
   * A restore ends when the disk has what was written; unless this is false: then when it is written and compared, and the
   * system takes it to the disk when it likes, as after cp, restic or borg.
   */
  readonly durable?: boolean;
}

/** What a restore could not have from the bank. */
export interface DamagedRange {
  /** Relative to the tree; empty for a volume. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly reason: string;
}

export interface Progress {
  /** `write` counts logical bytes that are durably in the bank; `restore` bytes on the target; `verify` bytes read back and compared. */
  readonly phase: 'write' | 'restore' | 'verify';
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Bytes added to the bank so far; 0 outside `write`. */
  readonly storedBytes: number;
  /** Logical bytes found to be there already; 0 outside `write`. */
  readonly reusedBytes: number;
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** Everything that differs from the snapshot `since`, which must be there; what lies outside is taken from it unread. */
export interface ChangedBlocks {
  readonly since: string;
  readonly extents: readonly Extent[];
}

/** A volume that is no file here, but can be read at any place: what another program exports. */
export interface VolumeReader {
  readonly sizeBytes: number;
  /** Fills all of `bytes`. Called several times at once. */
  read(bytes: Uint8Array, offset: number): Promise<void>;
  /** Whether the range is known to be zeros without reading it. */
  isZero(offset: number, length: number): Promise<boolean>;
}

export type VolumeInput =
  | { readonly path: string; readonly changed?: ChangedBlocks }
  | { readonly reader: VolumeReader; readonly changed?: ChangedBlocks }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly sizeBytes: number };

export interface TreeInput {
  readonly path: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

export interface SnapshotSummary {
  readonly id: string;
  readonly kind: 'volume' | 'tree';
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly reusedBytes: number;
  readonly digest: string;
  readonly files: number;
  readonly warnings: readonly string[];
}

export interface RestoreSummary {
  readonly sizeBytes: number;
  /** Of the target as it was read back; the snapshot's own, unless `damaged` lists something. */
  readonly digest: string;
  readonly files: number;
  readonly warnings: readonly string[];
  /** Empty unless `salvage` was asked for and needed. */
  readonly damaged: readonly DamagedRange[];
}

/** What a folder holds, one page at a time. Paths are bytes relative to the root, `/` between their parts, empty for the root itself. */
export interface TreeQuery {
  readonly folder: Uint8Array;
  /** Everything below it, folders right before what is in them, instead of the folder's own entries alone. */
  readonly recursive?: boolean;
  /** Path of the last entry of the page before. */
  readonly startAfter?: Uint8Array;
  readonly limit: number;
}

export interface TreeEntry {
  readonly path: Buffer;
  readonly type: 'file' | 'folder' | 'symlink' | 'hardlink' | 'fifo' | 'character' | 'block';
  /** Of a file; 0 for everything else. */
  readonly sizeBytes: number;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** Where a symlink points to, or the path in the tree that a hard link is another name of; empty for everything else. */
  readonly target: Buffer;
  /** Of a device; 0 for everything else. */
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly { readonly name: Buffer; readonly value: Buffer }[];
}

/** A volume, or a file of a tree, that can be read from anywhere. Holds nothing open. */
export interface StoredBytes {
  readonly sizeBytes: number;
  /** Different bytes have different ids; of one snapshot it never changes. */
  readonly contentId: string;
  /**
   * The bytes of the range, in order, in buffers of up to 4 MiB that are for reading only; holes come as zeros. Holds some 40 MiB
   * however long the range is, and reads ahead no further than that. Every chunk is checked before it is given.
   * @throws {Fault} `repository.bad_range` (invalid); while it is read `repository.chunk_absent`, `repository.pack_damaged` (corrupt)
   */
  read(range: Extent, options: TransferOptions): AsyncIterable<Buffer>;
}

export interface CheckSummary {
  /** Objects looked at. */
  readonly objects: number;
  /** Chunks looked up. */
  readonly blobs: number;
  readonly readBytes: number;
  /** Empty when all is well. */
  readonly damages: readonly Damage[];
  /** Packs that are damaged or gone and that no snapshot needs: marked, and left to garbage collection. */
  readonly replaced: readonly string[];
}

/** An object of the bank that is damaged or gone, and what that costs. */
export interface Damage {
  /** Its key in the repository; `*` stands for what nobody knows of the name of one that is gone. */
  readonly object: string;
  readonly kind: 'key' | 'pack' | 'index' | 'snapshot' | 'forgotten' | 'gc' | 'bad';
  /** What is wrong with it, for people. */
  readonly what: string;
  readonly hits: readonly SnapshotHit[];
}

/** A snapshot that needs a damaged object. */
export interface SnapshotHit {
  readonly snapshot: string;
  /** Nothing of it can be read. */
  readonly isLost: boolean;
  /** What cannot be read. Empty beside `isLost: false`: all of it can, for now. */
  readonly ranges: readonly LostRange[];
  /** Further ones that are not listed. */
  readonly moreRanges: number;
}

export interface LostRange extends Extent {
  /** Relative to the tree; empty for a volume. */
  readonly path: string;
  /** Where a piece of the tree itself is lost: everything behind `path` (empty: from the start) up to this one (empty: to the end). Offset and length are 0. */
  readonly untilPath?: string;
}

export interface RepairSummary {
  /** Key slots written in place of lost ones. */
  readonly keySlots: number;
  /** Packs that no index named, and one does now. */
  readonly indexedPacks: number;
  /** Keys of damaged index objects that were taken away, as nothing needs them any more. */
  readonly removedIndexes: readonly string[];
  /** Packs that no index names and whose directories do not open. */
  readonly leftPacks: readonly string[];
  /** Plaintext that was still readable in damaged packs and was stored anew. */
  readonly rescuedBytes: number;
}

export interface HealSummary {
  /** Snapshots of which everything is there again. */
  readonly healed: readonly string[];
  readonly unhealed: readonly { readonly snapshot: string; readonly reason: string }[];
  readonly storedBytes: number;
}

export interface GcOptions {
  readonly signal?: AbortSignal;
  /** How many generations a pack stays in quarantine before the verdict; at least 1, usually 2. A generation is one garbage collection, whenever that is. */
  readonly graceGenerations?: number;
}

export interface GcAmount {
  readonly packs: number;
  readonly bytes: number;
}

/** What a garbage collection would do, for people to look at and for `runGc` to do. */
export interface GcPlan {
  readonly generation: number;
  /** Why it is not known what is needed, one line per object or snapshot: `runGc` refuses such a plan. Empty when all is well. */
  readonly damages: readonly string[];
  /** Packs that go now. */
  readonly deletes: GcAmount;
  /** Packs that leave the quarantine: nobody can have them back any more, and the next run deletes them. */
  readonly deletesNext: GcAmount;
  readonly quarantined: GcAmount;
  /** Packs that nothing needs, seen for the first time: garbage, or of a write that is under way. */
  readonly suspects: GcAmount;
  readonly keeps: GcAmount;
  /** Index objects that are replaced, records of old runs, forgotten snapshots, marks. */
  readonly otherObjects: number;
  /** Forgotten snapshots that cannot be had back from now on. */
  readonly retired: readonly string[];
  /** Snapshots of writers that died before they were finished, which cannot be restored: they are forgotten. */
  readonly stillborn: readonly string[];
  /** For `runGc`; plain data. */
  readonly work: GcWork;
}

export interface GcSummary {
  readonly generation: number;
  readonly deletedPacks: number;
  readonly deletedBytes: number;
  /** False when another run was at the same objects: the next plan goes on from there. */
  readonly isDone: boolean;
}

/** The content-addressed backup repository of one project in one bank. */
export interface Repository {
  /** Writes an image, a device or a stream and returns when all of it is durable and the snapshot can be read by anyone with the key. */
  writeVolume(input: VolumeInput, options: WriteOptions): Promise<SnapshotSummary>;
  writeTree(input: TreeInput, options: WriteOptions): Promise<SnapshotSummary>;
  /** `overwrite`: the target exists and is at least as large. Otherwise the target is made as `<path>.partial-…` and renamed once its digest has been compared. */
  restoreVolume(
    snapshot: string,
    target: { path: string; overwrite: boolean },
    options: TransferOptions,
  ): Promise<RestoreSummary>;
  /** The target folder must be absent or empty; it is filled as `<path>.partial-…` beside it and renamed once everything has been compared. */
  restoreTree(snapshot: string, target: { path: string }, options: TransferOptions): Promise<RestoreSummary>;
  /** Bytes of a volume snapshot without restoring it. */
  readVolume(snapshot: string, offset: number, length: number, options: TransferOptions): Promise<Buffer>;
  /** A volume snapshot as a stream. @throws {Fault} `repository.not_a_volume` (invalid) */
  getVolume(snapshot: string, options: TransferOptions): Promise<StoredBytes>;
  /**
   * A page of a folder of a tree snapshot, in the byte order of names. Costs about log2(tree / 200 KiB) small reads and what the page itself lies in.
   * @throws {Fault} `repository.path_absent` (not-found), `repository.not_a_folder`, `repository.not_a_tree` (invalid)
   */
  listTree(snapshot: string, query: TreeQuery, options: TransferOptions): Promise<readonly TreeEntry[]>;
  /** One file of a tree snapshot, by any of its names. @throws {Fault} `repository.path_absent` (not-found), `repository.not_a_file` (invalid) */
  getFile(snapshot: string, path: Uint8Array, options: TransferOptions): Promise<StoredBytes>;
  /**
   * A folder and everything below it, folders right before what is in them: an entry, and if it is a file its bytes (exactly `sizeBytes`, as
   * in `StoredBytes.read`) before the next. A hard link to what lies outside the folder comes as that file.
   */
  readTree(snapshot: string, folder: Uint8Array, options: TransferOptions): AsyncIterable<TreeEntry | Buffer>;
  /** Reads back `percent` of the snapshot's blobs from the bank (structure always) and checks them. */
  verifySnapshot(snapshot: string, percent: number, options: TransferOptions): Promise<CheckSummary>;
  /** Takes the snapshot out of the list; `undelete` has it back until garbage collection has taken what it needs. A missing one counts as forgotten. */
  forget(snapshot: string): Promise<void>;
  /** @throws {Fault} `repository.snapshot_absent` (not-found), `repository.snapshot_gone` (conflict) when it is too late */
  undelete(snapshot: string): Promise<void>;
  listForgotten(): Promise<readonly string[]>;
  /** Forgets all snapshots of the subject that were written for the owner. Finds them by their names: one list. */
  forgetOwned(subject: string, owner: SnapshotOwner): Promise<void>;
  /** Whether a garbage collection would go on with something that an earlier one, or `forget`, has begun. Cheap. */
  hasGarbage(): Promise<boolean>;
  /** Looks what no snapshot needs. Changes nothing. */
  planGc(options: GcOptions): Promise<GcPlan>;
  /** Does what the plan says; safe beside writers, readers and other runs anywhere. @throws {Fault} `repository.gc_refused` (corrupt) */
  runGc(plan: GcPlan, options: TransferOptions): Promise<GcSummary>;
  listSnapshots(): Promise<readonly string[]>;
  /** Structure of the whole repository, and with `percent` that share of all pack bytes. Marks damaged packs, so that the next write heals what it can. */
  check(percent: number, options: TransferOptions): Promise<CheckSummary>;
  /** Mends what can be mended without a source: key slots, indexes, and what can still be read of damaged packs. See also `healFrom`. */
  repair(options: TransferOptions): Promise<RepairSummary>;
  /** AEAD for small documents that live beside the repository: sealed for this project, this kind, this name, and for nothing else. */
  sealDocument(kind: string, name: string, plain: Uint8Array): Buffer;
  /** @throws {Fault} `repository.document_damaged` (corrupt) */
  openDocument(kind: string, name: string, sealed: Uint8Array): Buffer;
  close(): Promise<void>;
}
