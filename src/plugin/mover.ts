/**
 * The data mover as a plugin sees it: bytes of a volume or files of a tree go into the bank and come back. The plugin
 * never meets the repository behind it.
 */
export interface Mover {
  /** Writes the bytes of an image file, a block device, a reader or a stream. */
  writeVolume(source: VolumeSource): Promise<Written>;
  /** Writes a directory with everything the file system tells of it. */
  writeTree(source: TreeSource): Promise<Written>;
  /** Fills `path` (made new, or opened and overwritten) with the bytes of a volume, reads it back, compares the digest. */
  restoreVolume(snapshot: string, target: VolumeTarget): Promise<Restored>;
  /** Makes the tree in `path`, which must be absent or empty, reads it back, compares every file and its metadata. */
  restoreTree(snapshot: string, target: TreeTarget): Promise<Restored>;
  /** Reads the given share of a snapshot's bytes from the bank and checks them. */
  verify(snapshot: string, options: { readonly percent: number }): Promise<Verified>;
  /** Makes the snapshot unreachable; its bytes go with the next garbage collection. A missing one counts as forgotten. */
  forget(snapshot: string): Promise<void>;
  /**
   * Takes `forget` back. One that was never forgotten is left as it is.
   * @throws {Fault} conflict when garbage collection has taken what it needs
   */
  undelete(snapshot: string): Promise<void>;
}

/**
 * A step that is repeated after a crash gets what it has written already, as it was then, instead of reading the source again. So whoever writes more than
 * one in a step tells them apart, and whoever keeps track of what changes after the call (a bitmap, a time) writes anew.
 */
interface WriteSource {
  /** The same on every try; of a step that writes one only it may be absent. */
  readonly part?: string;
  /** What an earlier try has written is given up. It always is when `changed` is given. */
  readonly anew?: boolean;
}

export type VolumeSource = VolumeBytes & WriteSource;

type VolumeBytes =
  | {
      /** Image file or block device. */
      readonly path: string;
      readonly changed?: ChangedBlocks;
    }
  | { readonly reader: VolumeReader; readonly changed?: ChangedBlocks }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly sizeBytes: number };

/** Bytes outside the extents are taken from the snapshot `since` without being read; without that one: not-found `repository.snapshot_absent`. */
export interface ChangedBlocks {
  readonly since: string;
  readonly extents: readonly Extent[];
  /** Read everything all the same, and compare. What differs outside the extents is the fault `mover.changed_blocks_lied` (corrupt). */
  readonly verify?: boolean;
}

/** A volume that is no file of this host, but can be read at any place. */
export interface VolumeReader {
  readonly sizeBytes: number;
  /** Fills all of `bytes`. Called several times at once. */
  read(bytes: Uint8Array, offset: number): Promise<void>;
  /** Whether the range is known to be zeros without reading it. */
  isZero(offset: number, length: number): Promise<boolean>;
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface TreeSource extends WriteSource {
  readonly path: string;
  /** gitignore-like globs against the path relative to the root; with `include` only what matches is taken. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

export interface Written {
  /** Names the snapshot in this provider's bank, within the project. */
  readonly snapshot: string;
  readonly kind: 'volume' | 'tree';
  /** Logical size: bytes of the volume, or of all regular files. */
  readonly sizeBytes: number;
  /** Bytes this run added to the bank, after compression and sealing, index included. */
  readonly storedBytes: number;
  /** Logical bytes that were already there, holes and zero runs included. */
  readonly reusedBytes: number;
  /** Digest of the content as recorded, `<algorithm>:<hex>`; equal content in one project gives equal digests. */
  readonly digest: string;
  readonly files?: number;
  /** Files that changed or vanished while they were read, attributes the platform would not give; one line each. */
  readonly warnings: readonly string[];
}

export interface VolumeTarget {
  readonly path: string;
  /** Write into an existing file or device of at least the volume's size. Without it `path` must not exist. */
  readonly overwrite?: boolean;
}

export interface TreeTarget {
  readonly path: string;
}

export interface Restored {
  readonly sizeBytes: number;
  /** Of the target, read back. Equal to the recorded one, or the call has thrown a `corrupt` fault. */
  readonly digest: string;
  readonly files?: number;
  readonly warnings: readonly string[];
}

export interface Verified {
  readonly readBytes: number;
  readonly checkedBlobs: number;
  /** One line per damage; empty when all is well. */
  readonly damages: readonly string[];
}
