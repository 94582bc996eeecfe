import { Fault, type Json, type Resource, type Written } from 'karri/plugin';

/** What the checkpoint keeps of a host volume. */
export interface SavedInfo {
  readonly snapshot: string;
  readonly kind: 'volume' | 'tree';
  /** Of the source. */
  readonly name: string;
  /** What the bytes are: a folder's files, a raw image or device, or a qcow2 file kept as the file it is. */
  readonly format: 'tree' | 'raw' | 'qcow2';
  readonly size_bytes: number;
  readonly digest: string;
  readonly stored_bytes: number;
  readonly reused_bytes: number;
  readonly files: number | null;
  /** Permission bits of an image file; null for folders (they are in the tree) and devices. */
  readonly mode: number | null;
  /** The first of them; `warning_count` counts all. */
  readonly warnings: readonly string[];
  readonly warning_count: number;
}

/** Entries and records stay small however many files changed while they were read, or chunks are damaged. */
export const keptLines = 50;

export function toSavedInfo(written: Written, name: string, format: SavedInfo['format'], mode: number | null): Json {
  return {
    snapshot: written.snapshot,
    kind: written.kind,
    name,
    format,
    size_bytes: written.sizeBytes,
    digest: written.digest,
    stored_bytes: written.storedBytes,
    reused_bytes: written.reusedBytes,
    files: written.files ?? null,
    mode,
    warnings: written.warnings.slice(0, keptLines),
    warning_count: written.warnings.length,
  };
}

/** The members a later operation needs. @throws {Fault} corrupt `host.bad_saved_info` */
export function readSavedInfo(
  saved: Json,
  kind: SavedInfo['kind'],
  resource: Resource,
): Pick<SavedInfo, 'snapshot' | 'name' | 'format' | 'size_bytes' | 'digest' | 'mode'> {
  if (typeof saved === 'object' && saved !== null && !Array.isArray(saved)) {
    const {
      kind: savedKind,
      snapshot,
      name,
      format,
      size_bytes,
      digest,
      mode,
    } = saved as Readonly<Record<string, Json | undefined>>;
    if (
      savedKind === kind &&
      typeof snapshot === 'string' &&
      typeof name === 'string' &&
      (format === 'tree' || format === 'raw' || format === 'qcow2') &&
      typeof size_bytes === 'number' &&
      typeof digest === 'string' &&
      (mode === null || typeof mode === 'number')
    ) {
      return { snapshot, name, format, size_bytes, digest, mode };
    }
  }
  throw new Fault(
    'corrupt',
    'host.bad_saved_info',
    `What the checkpoint keeps of ${resource.name} is not what this plugin wrote.`,
    {
      details: { resource: `${resource.type}#${resource.id}` },
      help: 'It was made by another plugin, or by a later version: restore it with that one.',
    },
  );
}
