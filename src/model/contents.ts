import { type Static, Type } from 'typebox';
import { text } from './schema.ts';

const entryTypes = ['file', 'directory', 'symlink', 'hardlink', 'fifo', 'character_device', 'block_device'] as const;

/** Something in a directory that a checkpoint holds. */
export interface ContentsEntry {
  /** See `path`. */
  readonly name: string;
  /** From the root of the directory, as `protection/path-text.ts` writes names that are no UTF-8. */
  readonly path: string;
  readonly type: (typeof entryTypes)[number];
  readonly sizeBytes: number;
  /** Null for a hard link: they are those of the file it is another name of. So is its size. */
  readonly attributes: {
    /** Permission bits with setuid, setgid and sticky. */
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly mtimeNs: bigint;
  } | null;
  /** Where a symlink points to, or the path that a hard link is another name of; null for everything else. */
  readonly target: string | null;
}

const nullable = (type: string, more: object) => ({ type: [type, 'null'], ...more });

export const contentsEntrySchema = Type.Object(
  {
    name: text,
    path: Type.String({
      description:
        'From the root of the directory, `/` between names. Bytes that are no UTF-8 are written `%XX`, and so is a `%` that two hex digits follow.',
    }),
    type: Type.Unsafe<ContentsEntry['type']>({ type: 'string', enum: entryTypes }),
    size: Type.Integer({ description: 'Bytes of a file; 0 for everything else.' }),
    mode: Type.Unsafe<string | null>(
      nullable('string', {
        description: 'Permission bits, octal. Null for a hard link, as are the owner and the time: see its target.',
      }),
    ),
    uid: Type.Unsafe<number | null>(nullable('integer', {})),
    gid: Type.Unsafe<number | null>(nullable('integer', {})),
    mtime: Type.Unsafe<string | null>(
      nullable('string', { description: 'RFC 3339 with nanoseconds, UTC; null for a time outside the years 0 to 9999.' }),
    ),
    target: Type.Unsafe<string | null>(
      nullable('string', { description: 'Where a symlink points to, or the path that a hard link is another name of.' }),
    ),
  },
  {
    $id: 'ContentsEntry',
    description: 'Something in a directory that a checkpoint holds.',
    examples: [
      {
        name: 'today.txt',
        path: 'drafts/today.txt',
        type: 'file',
        size: 15,
        mode: '0644',
        uid: 1000,
        gid: 1000,
        mtime: '2031-03-09T02:00:03.512000417Z',
        target: null,
      },
    ],
  },
);

export type ContentsEntryJson = Static<typeof contentsEntrySchema>;

export function toContentsEntryJson({ name, path, type, sizeBytes, attributes, target }: ContentsEntry): ContentsEntryJson {
  return {
    name,
    path,
    type,
    size: sizeBytes,
    mode: attributes === null ? null : attributes.mode.toString(8).padStart(4, '0'),
    uid: attributes?.uid ?? null,
    gid: attributes?.gid ?? null,
    mtime: attributes === null ? null : timeText(attributes.mtimeNs),
    target,
  };
}

const nsPerSecond = 1_000_000_000n;
/** Of 0000-01-01 and 10000-01-01. */
const firstSecond = -62_167_219_200n;
const endSecond = 253_402_300_800n;

function timeText(ns: bigint): string | null {
  const rest = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond;
  const seconds = (ns - rest) / nsPerSecond;
  if (seconds < firstSecond || seconds >= endSecond) return null;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${String(rest).padStart(9, '0')}Z`;
}
