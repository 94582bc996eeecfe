import { eachLimited } from '../each-limited.ts';
import { listUntilLost } from './loss.ts';
import { readNodeAt } from './node-list.ts';
import { readPlaces } from './reader.ts';
import { countBytes, type RestoreRun } from './restore-run.ts';
import { checkNodesTask, checkPlacesTask } from './restore-task.ts';
import type { RestoreWindow } from './restore-window.ts';

const pieceBytes = 64 * 1024 * 1024;

/** Reads everything but folders back, by its path, and compares it with the snapshot. */
export class TreeReadBack {
  readonly #run: RestoreRun;
  readonly #count: (bytes: number) => void;

  constructor(run: RestoreRun) {
    this.#run = run;
    this.#count = countBytes(run, 'verify');
  }

  /** Settles when no thread is at it any more. @throws {Fault} `repository.digest_differs` (corrupt) */
  async check(window: RestoreWindow): Promise<void> {
    await eachLimited(this.#plan(window), this.#run.core.threads * 2, (work) => work());
  }

  async *#plan({ wants: { nodes }, checks, listed }: RestoreWindow): AsyncGenerator<() => Promise<void>> {
    const { loss } = this.#run;
    const isHit = (at: number): boolean => loss.hasHit(readNodeAt(nodes, at).path);
    const isThere = (at: number): boolean => !loss.isAbsent(readNodeAt(nodes, at).path);
    for (const planned of checks) {
      const all = loss.isEmpty ? planned : planned.filter(isThere);
      const hit = loss.isEmpty ? [] : all.filter(isHit);
      const whole = hit.length === 0 ? all : all.filter((at) => !hit.includes(at));
      yield () => this.#checkNodes(nodes, whole, true);
      if (hit.length === 0) continue;
      yield () => this.#checkNodes(nodes, hit, false);
      for (const at of hit) yield* this.#planPlaces(nodes, at);
    }
    for (const at of listed) if (loss.isEmpty || !isHit(at)) yield* this.#planPlaces(nodes, at);
  }

  async #checkNodes(nodes: Uint8Array<SharedArrayBuffer>, at: readonly number[], withContent: boolean): Promise<void> {
    const { core, target, warnings, options } = this.#run;
    const input = { target, nodes, at: Uint32Array.from(at), withContent };
    const output = await core.run(checkNodesTask, input, { signal: options.signal });
    for (const line of output.warnings) warnings.add(line);
    this.#count(output.bytes);
  }

  /** The content of one file, in pieces; what is lost of it has to read as zeros. */
  async *#planPlaces(nodes: Uint8Array<SharedArrayBuffer>, at: number): AsyncGenerator<() => Promise<void>> {
    const { core, target, options, loss } = this.#run;
    const { path, node } = readNodeAt(nodes, at);
    let from = 0;
    let places: number[] = [];
    let ids: Uint8Array[] = [];
    const takePiece = (to: number): (() => Promise<void>) => {
      const input = { target, path, from, to, places: Float64Array.from(places), ids: new Uint8Array(Buffer.concat(ids)) };
      from = to;
      places = [];
      ids = [];
      return async () => {
        await core.run(checkPlacesTask, input, { signal: options.signal });
        this.#count(input.to - input.from);
      };
    };
    const all = readPlaces(core.source, node, options.signal);
    for await (const place of listUntilLost(node, all, options.salvage === true ? () => undefined : undefined)) {
      if (loss.isLost(path, place)) continue;
      places.push(place.offset, place.length);
      ids.push(place.id);
      const end = place.offset + place.length;
      if (end - from >= pieceBytes) yield takePiece(end);
    }
    yield takePiece(node.size);
  }
}
