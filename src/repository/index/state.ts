import { Fault } from '../../base/faults.ts';
import { type ChunkPlace, ChunkTable, createGeneration } from './chunk-table.ts';
import type { PackEntry } from './format.ts';
import { PackTable } from './pack-table.ts';
import type { OpenRun } from './runs.ts';

export interface FoundChunk {
  readonly place: ChunkPlace;
  readonly pack: PackEntry;
}

/** What is let go when the repository rests. */
export interface Loaded {
  readonly packs: PackTable;
  readonly table: ChunkTable;
  readonly releases: Int32Array;
  generations: SharedArrayBuffer[];
  runs: OpenRun[];
  /** Index object → the packs that it names. */
  readonly objects: Map<string, Uint32Array>;
  /** Index objects of this process that no run holds yet. */
  unfolded: { readonly id: string; readonly bytes: Buffer; readonly packs: Uint32Array }[];
  /** Index objects that have to be read again, as the run that held them is damaged. */
  readonly again: Set<string>;
  /** Nothing is put into these generations any more, by any thread. */
  frozen: ReadonlySet<SharedArrayBuffer>;
  /** Runs that some thread may still look into. */
  retired: OpenRun[];
  isOpen: boolean;
}

/** Nothing known yet; room for so many chunks. */
export function createLoaded(slots: number): Loaded {
  const packs = new PackTable();
  const generations = [createGeneration(slots)];
  const releases = new Int32Array(new SharedArrayBuffer(4));
  const table = new ChunkTable({ generations, runs: [], distrusted: packs.flags, releases });
  return {
    packs,
    table,
    releases,
    generations,
    runs: [],
    objects: new Map(),
    unfolded: [],
    again: new Set(),
    frozen: new Set(),
    retired: [],
    isOpen: false,
  };
}

/** `damaged`: keys of the index objects that do not open; `where`: the bank. */
export function absentFault(id: Uint8Array, damaged: ReadonlySet<string>, where: string): Fault {
  const name = Buffer.from(id).toString('hex').slice(0, 16);
  if (damaged.size > 0) {
    return new Fault(
      'corrupt',
      'repository.index_damaged',
      `Chunk ${name} cannot be found: ${[...damaged].join(', ')} in ${where} is damaged.`,
      {
        help: 'Put the object back from a copy of the bank; a new protect of the same source stores what is missing again.',
      },
    );
  }
  return new Fault(
    'corrupt',
    'repository.chunk_absent',
    `Chunk ${name} is named by no index in ${where}: an index object is lost.`,
    {
      help: 'Put lost objects under "indexes/" back from a copy of the bank; a new protect of the same source stores what is missing again.',
    },
  );
}
