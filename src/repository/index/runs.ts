import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../base/faults.ts';
import { errnoOf, fileFault } from '../file-faults.ts';
import type { Task } from '../workers/task.ts';
import type { PackTable } from './pack-table.ts';
import { type RunObject, type RunView, readTables, runPackBytes } from './run-format.ts';
import { makeRun, mergeRun } from './run-tasks.ts';
import { droppedPack } from './run-writer.ts';

export interface RunsOptions {
  /** Of this repository alone; made when missing. Any number of processes may share it. */
  readonly folder: string;
  /** For the MAC over each run's tables. */
  readonly key: Buffer;
  run<Input, Output>(task: Task<Input, Output>, input: Input, signal: AbortSignal | undefined): Promise<Output>;
}

/** An open run: what its tables say, with this process's numbers of packs. */
export interface OpenRun {
  readonly path: string;
  readonly view: RunView;
  readonly recordCount: number;
  readonly objects: readonly RunObject[];
  /** The pack list of the run, 36 bytes each. */
  readonly packs: Buffer;
}

const suffix = '.run';
const unfinished = '.new';
/** A file that is so much older than one just written is no other process's work in progress. */
const abandonedAfterMs = 24 * 60 * 60 * 1000;
/** Runs below it are merged with whatever comes. */
const smallRecords = 65_536;
/** A run is merged into the one before it once it has a quarter of its records: each record is rewritten a few times in its life, and runs stay few. */
const growth = 4;

/**
 * The files that keep between two runs of the process what index objects said, so that each object is read once. Every file stands for itself
 * and is never changed: processes that share the folder at most do some work twice, and a file that vanishes is read from the bank again.
 */
export class Runs {
  readonly #options: RunsOptions;

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /** Every run that is whole. Files that are none are removed: nobody else can make sense of them either. */
  async openAll(packs: PackTable): Promise<OpenRun[]> {
    const { folder } = this.#options;
    await this.#makeFolder();
    const names = (await attempt('list', folder, () => readdir(folder))).filter((name) => name.endsWith(suffix));
    const runs: OpenRun[] = [];
    for (const name of names) {
      const path = join(folder, name);
      const run = this.#open(path, packs);
      if (run === 'damaged') await this.#remove(path);
      else if (run !== 'missing') runs.push(run);
    }
    return runs;
  }

  /** Makes a run out of index objects as they lie in the bank; also names those that do not open. */
  async make(
    objects: readonly { readonly id: string; readonly bytes: Uint8Array }[],
    packs: PackTable,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly run: OpenRun | undefined; readonly damaged: readonly string[] }> {
    let damaged: readonly string[] = [];
    const run = await this.#write(packs, async (path, key) => {
      const output = await this.#options.run(makeRun, { path, key, objects }, signal);
      damaged = output.damaged;
      return output.made;
    });
    return { run, damaged };
  }

  /**
   * Makes one run out of several, without what is in no index object any more. Undefined when one of them was found damaged: it is marked so.
   * The old files are removed; the old runs stay open.
   */
  async merge(
    sources: readonly OpenRun[],
    isPresent: (objectId: string) => boolean,
    packs: PackTable,
    signal: AbortSignal | undefined,
  ): Promise<OpenRun | undefined> {
    const places = new Map<number, number>();
    const entries: Buffer[] = [];
    const placeOf = (number: number, entry: Buffer): number => {
      const place = places.get(number) ?? entries.push(entry) - 1;
      places.set(number, place);
      return place;
    };
    const inputs = sources.map(({ view, packs: list }) => ({
      fd: view.fd,
      bits: view.bits,
      buckets: view.buckets,
      packs: view.packNumbers.map((number, at) =>
        packs.isNamed(number) ? placeOf(number, list.subarray(at * runPackBytes, (at + 1) * runPackBytes)) : droppedPack,
      ),
    }));
    const objects = new Map<string, RunObject>();
    for (const [at, { objects: named }] of sources.entries()) {
      for (const object of named) {
        // All packs of an object that is there are named.
        if (isPresent(object.id))
          objects.set(object.id, { ...object, packs: object.packs.map((pack) => inputs[at]?.packs[pack] ?? 0) });
      }
    }
    const merged = await this.#write(packs, async (path, key) => {
      const run = { path, key, objects: [...objects.values()], packs: Buffer.concat(entries) };
      const damaged = await this.#options.run(mergeRun, { run, sources: inputs }, signal);
      const source = damaged === undefined ? undefined : sources[damaged];
      if (source) Atomics.store(source.view.damaged, 0, 1);
      return source === undefined;
    });
    if (merged) for (const { path } of sources) await this.#remove(path);
    return merged;
  }

  /** Takes a run out of the folder that is not to be opened again. */
  async discard({ path }: OpenRun): Promise<void> {
    await this.#remove(path);
  }

  /** `write` makes the file, or says that there is none to make. */
  async #write(packs: PackTable, write: (path: string, key: Buffer) => Promise<boolean>): Promise<OpenRun | undefined> {
    const { folder, key } = this.#options;
    const name = randomBytes(16).toString('hex');
    const path = join(folder, name + suffix);
    for (let tries = 0; ; tries++) {
      await this.#makeFolder();
      try {
        if (!(await write(join(folder, name + unfinished), key))) return undefined;
        await attempt('rename', path, () => rename(join(folder, name + unfinished), path));
        const run = this.#open(path, packs);
        if (typeof run !== 'string') {
          await this.#removeAbandoned(path);
          return run;
        }
      } catch (error) {
        // Whoever clears the folder may do so at any time; one who never stops is complained of.
        if (errnoOf(error) !== 'ENOENT' || tries >= 2) throw error;
      }
      if (tries >= 2) throw fileFault(new Error('it vanished'), 'keep', path);
    }
  }

  #open(path: string, packs: PackTable): OpenRun | 'missing' | 'damaged' {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 'missing';
      throw fileFault(error, 'open', path);
    }
    const tables = readTables(fd, this.#options.key);
    if (tables === undefined) {
      closeSync(fd);
      return 'damaged';
    }
    const packCount = tables.packs.length / runPackBytes;
    const packNumbers = new Uint32Array(new SharedArrayBuffer(packCount * 4));
    for (let at = 0; at < packCount; at++)
      packNumbers[at] = packs.numberOf(tables.packs.subarray(at * runPackBytes, (at + 1) * runPackBytes));
    const { bits, buckets, objects, recordCount } = tables;
    const damaged = new Int32Array(new SharedArrayBuffer(4));
    return { path, view: { fd, bits, buckets, packNumbers, damaged }, recordCount, objects, packs: tables.packs };
  }

  /** What a process that died was writing. */
  async #removeAbandoned(newest: string): Promise<void> {
    const { folder } = this.#options;
    for (const name of await attempt('list', folder, () => readdir(folder))) {
      if (!name.endsWith(unfinished)) continue;
      const [mine, found] = await Promise.allSettled([stat(newest), stat(join(folder, name))]);
      if (mine.status === 'rejected' || found.status === 'rejected') continue; // gone already
      if (mine.value.mtimeMs - found.value.mtimeMs > abandonedAfterMs) await this.#remove(join(folder, name));
    }
  }

  async #remove(path: string): Promise<void> {
    await unlink(path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw fileFault(error, 'remove', path);
    });
  }

  /** Somebody else's folder could make us take chunks for stored that are not. */
  async #makeFolder(): Promise<void> {
    const { folder } = this.#options;
    await attempt('make', folder, () => mkdir(folder, { recursive: true, mode: 0o700 }));
    const found = await attempt('look at', folder, () => lstat(folder));
    const isOurs =
      found.isDirectory() && (process.getuid === undefined || found.uid === process.getuid()) && (found.mode & 0o022) === 0;
    if (isOurs) return;
    throw new Fault('forbidden', 'repository.scratch_unsafe', `${folder} can be written to by others.`, {
      help: 'Remove it, or set a folder for scratch files that belongs to the user Karri runs as.',
    });
  }
}

/** The runs that are to become one; fewer than two when all is well. */
export function chooseMerge(runs: readonly OpenRun[]): OpenRun[] {
  const sorted = [...runs].sort((a, b) => a.recordCount - b.recordCount);
  let sum = 0;
  let count = 0;
  for (const { recordCount } of sorted) {
    if (count > 0 && recordCount >= smallRecords && recordCount >= growth * sum) break;
    sum += recordCount;
    count++;
  }
  return sorted.slice(0, count);
}

async function attempt<T>(verb: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fileFault(error, verb, path);
  }
}
