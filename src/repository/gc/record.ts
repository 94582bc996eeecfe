/**
 * What one garbage collection found, sealed JSON under `gc/<generation>-<random>`; FORMAT.md, "Garbage". A pack goes down the list while nobody needs it:
 * suspect, then in quarantine, then deleting. Only that last state is final: whoever sees it relies on the pack no more, for good.
 */
export interface GcRecord {
  readonly generation: number;
  /** Packs that no snapshot needed in this run. */
  readonly suspects: readonly string[];
  /** Packs that every run of the generation before found so too → the generation in which they came into quarantine. */
  readonly quarantined: ReadonlyMap<string, number>;
  /** Packs that will never be relied on again, and are deleted by a later run that finds no snapshot in need of them. */
  readonly deleting: readonly string[];
  /** Forgotten snapshots → the generation in which they were first seen. */
  readonly forgotten: ReadonlyMap<string, number>;
  /** Fingerprints of all snapshots, so that the next run knows which are new. */
  readonly snapshots: readonly string[];
}

/** What a plan says is to be done. */
export interface GcWork {
  readonly record: GcRecord;
  readonly deletePacks: readonly string[];
  /** These and others that are gone: no index object is to name them. */
  readonly dropPacks: readonly string[];
  /** Index objects, by id, each group to become one. */
  readonly rewrites: readonly { readonly sources: readonly string[] }[];
  readonly removeKeys: readonly string[];
}

const format = 1;

/** The last 16 hex digits of a snapshot's name, no fewer than 10 of them random. */
export function fingerprint(snapshotId: string): string {
  return snapshotId.slice(-16);
}

export function encodeGcRecord(record: GcRecord): Buffer {
  const { generation, suspects, quarantined, deleting, forgotten, snapshots } = record;
  const json = {
    format,
    generation,
    suspects,
    quarantined: Object.fromEntries(quarantined),
    deleting,
    forgotten: Object.fromEntries(forgotten),
    snapshots,
  };
  return Buffer.from(JSON.stringify(json));
}

/** Undefined when the text is none. The bytes are authentic, so only the shape is checked. */
export function decodeGcRecord(bytes: Buffer, generation: number): GcRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const value = json as Readonly<Record<string, unknown>>;
  const { suspects, deleting, snapshots } = value;
  const quarantined = readGenerations(value['quarantined']);
  const forgotten = readGenerations(value['forgotten']);
  if (value['format'] !== format || value['generation'] !== generation) return undefined;
  if (!isTexts(suspects) || !isTexts(deleting) || !isTexts(snapshots) || !quarantined || !forgotten) return undefined;
  return { generation, suspects, quarantined, deleting, forgotten, snapshots };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function readGenerations(value: unknown): Map<string, number> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value as Readonly<Record<string, unknown>>);
  const read = new Map<string, number>();
  for (const [name, generation] of entries) {
    if (typeof generation !== 'number' || !Number.isSafeInteger(generation)) return undefined;
    read.set(name, generation);
  }
  return read;
}
