import type { Json } from '../base/canonical-json.ts';
import { Fault } from '../base/faults.ts';
import type { Checkpoint } from '../model/checkpoint.ts';
import { resourceKey } from './resource-graph.ts';

/** What the plugins saved of each resource, by `TYPE#ID`. */
export type SavedInfos = Readonly<Record<string, Json>>;

export function savedOf(checkpoint: Checkpoint): SavedInfos {
  const saved: Record<string, Json> = {};
  for (const resource of checkpoint.resources) {
    if (resource.saved !== undefined) saved[resourceKey(resource)] = resource.saved;
  }
  return saved;
}

/** @throws {Fault} corrupt `checkpoint.nothing_saved` */
export function getSaved(infos: SavedInfos, checkpointId: string, resource: { type: string; id: string }): Json {
  const saved = infos[resourceKey(resource)];
  if (saved !== undefined) return saved;
  throw new Fault('corrupt', 'checkpoint.nothing_saved', `Checkpoint ${checkpointId} holds nothing of ${resourceKey(resource)}.`);
}
