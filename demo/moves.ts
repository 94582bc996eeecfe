import type { Noun } from 'karri/client';
import type { Cloud } from './cloud.ts';
import { bytes, say, startBar } from './screen.ts';

/** What one volume came to in one operation, as the operation log tells it. */
export interface VolumeFigures {
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly reusedBytes: number;
  readonly seconds: number;
}

/** How often the bar moves. */
const pollMs = 100;

/** `TYPE#ID` → figures. */
export type Figures = ReadonlyMap<string, VolumeFigures>;

export interface Protected {
  readonly checkpoint: Noun<'Checkpoint'>;
  readonly figures: Figures;
}

export function keyOf(volume: Noun<'ProtectableInstance'>): string {
  return `${volume.type}#${volume.id}`;
}

/** Makes a checkpoint of the plan and watches it to its end. @throws when it does not become available */
export async function protect(cloud: Cloud, plan: Noun<'Plan'>): Promise<Protected> {
  const { client } = cloud;
  const path = { provider_id: plan.provider_id };
  const started = await client.createCheckpoint({ path, body: { checkpoint: { plan_id: plan.id } } });
  const bar = startBar('protect');
  const checkpoint = await client.waitForCheckpoint(plan.provider_id, started.checkpoint.id, { onProgress: bar.update, pollMs });
  bar.end();
  const log = await getLog(cloud, { checkpoint_id: checkpoint.id }, 'protect');
  if (checkpoint.status !== 'available')
    throw new Error(`Checkpoint ${checkpoint.id} is ${checkpoint.status}: ${log.error_info}`);
  const figures = readFigures(log);
  say(
    `checkpoint ${checkpoint.id} is available: ${total(figures, 'storedBytes')} stored, ${total(figures, 'reusedBytes')} reused`,
  );
  return { checkpoint, figures };
}

export interface Wanted {
  readonly volume: Noun<'ProtectableInstance'>;
  readonly restoreName: string;
}

/** Restores volumes of a checkpoint under new names and watches. @throws when it does not succeed */
export async function restore(
  cloud: Cloud,
  providerId: string,
  checkpoint: Noun<'Checkpoint'>,
  wanted: readonly Wanted[],
): Promise<Figures> {
  const { client } = cloud;
  const parameters = Object.fromEntries(wanted.map(({ volume, restoreName }) => [keyOf(volume), { restore_name: restoreName }]));
  const body = { restore: { provider_id: providerId, checkpoint_id: checkpoint.id, parameters } };
  const started = await client.createRestore({ body });
  const bar = startBar('restore');
  const ended = await client.waitForRestore(started.restore.id, { onProgress: bar.update, pollMs });
  bar.end();
  const log = await getLog(cloud, { restore_id: ended.id }, 'restore');
  if (ended.status !== 'success') throw new Error(`Restore ${ended.id} is ${ended.status}: ${log.error_info}`);
  say(`restored ${wanted.map(({ restoreName }) => restoreName).join(' and ')}; read back and compared by Karri itself`);
  return readFigures(log);
}

async function getLog(cloud: Cloud, filter: Record<string, string>, type: string): Promise<Noun<'OperationLog'>> {
  const { operation_logs: logs } = await cloud.client.listOperationLogs({ query: filter });
  const log = logs.find((one) => one.operation_type === type);
  if (log === undefined) throw new Error(`There is no log of the ${type} with ${JSON.stringify(filter)}.`);
  return log;
}

interface LoggedResource {
  readonly type: string;
  readonly id: string;
  readonly seconds: number | null;
  readonly size_bytes?: number;
  readonly stored_bytes?: number;
  readonly reused_bytes?: number;
}

function readFigures(log: Noun<'OperationLog'>): Figures {
  if (log.extra_info === null) throw new Error(`The operation log ${log.id} says nothing about its volumes.`);
  const { resources } = JSON.parse(log.extra_info) as { resources: readonly LoggedResource[] };
  return new Map(
    resources.map((told) => [
      `${told.type}#${told.id}`,
      {
        sizeBytes: told.size_bytes ?? 0,
        storedBytes: told.stored_bytes ?? 0,
        reusedBytes: told.reused_bytes ?? 0,
        seconds: told.seconds ?? 0,
      },
    ]),
  );
}

function total(figures: Figures, what: 'storedBytes' | 'reusedBytes'): string {
  return bytes([...figures.values()].reduce((sum, one) => sum + one[what], 0));
}
