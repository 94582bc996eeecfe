import type { AnyTask, Task } from '../workers/task.ts';
import { decodeIndex } from './format.ts';
import { type RunObject, runPackBytes, runRecordBytes } from './run-format.ts';
import { joinRecords, type MergeSource, mergeRuns, type NewRun, writeRun } from './run-writer.ts';

export interface MakeRunInput {
  readonly path: string;
  readonly key: Buffer;
  /** Index objects as they lie in the bank. */
  readonly objects: readonly { readonly id: string; readonly bytes: Uint8Array }[];
}

/** Opens index objects and writes a run of those that do; the output names the others. Without any that opens there is no run. */
export const makeRun: Task<MakeRunInput, { readonly made: boolean; readonly damaged: readonly string[] }> = {
  name: 'run.make',
  run({ path, key, objects }, context) {
    const damaged: string[] = [];
    const opened: RunObject[] = [];
    const packs: Buffer[] = [];
    const places = new Map<string, number>();
    const pieces: Buffer[] = [];
    for (const { id, bytes } of objects) {
      context.throwIfAborted();
      const plain = context.openIndex(id, bytes);
      const index = plain && decodeIndex(plain);
      if (index === undefined) {
        damaged.push(id);
        continue;
      }
      const named = Uint32Array.from(index.packs, (pack, at) => {
        const place = places.get(pack.id) ?? packs.push(index.packBytes.subarray(at * runPackBytes, (at + 1) * runPackBytes)) - 1;
        places.set(pack.id, place);
        return place;
      });
      opened.push({ id, sizeBytes: bytes.length, packs: named });
      setPacks(index.recordBytes, named);
      pieces.push(index.recordBytes);
    }
    if (opened.length === 0) return { made: false, damaged };
    const list = Buffer.concat(packs); // before what it is a part of is used up
    writeRun({ path, key, objects: opened, packs: list }, joinRecords(pieces));
    return { made: true, damaged };
  },
};

/** Makes `pack` in the records the place in the run's list instead of the object's. */
function setPacks(records: Buffer, places: Uint32Array): void {
  for (let at = 32; at < records.length; at += runRecordBytes) records.writeUInt32LE(places[records.readUInt32LE(at)] ?? 0, at);
}

export interface MergeInput {
  readonly run: NewRun;
  readonly sources: readonly MergeSource[];
}

export const mergeRun: Task<MergeInput, number | undefined> = {
  name: 'run.merge',
  run: ({ run: { path, key, objects, packs }, sources }, context) =>
    // Buffers come over the wire as plain bytes.
    mergeRuns({ path, key: Buffer.from(key), objects, packs: Buffer.from(packs) }, sources, context.throwIfAborted),
};

export const runTasks: readonly AnyTask[] = [makeRun, mergeRun];
