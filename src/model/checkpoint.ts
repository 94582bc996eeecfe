import { type Static, Type } from 'typebox';
import type { Json } from '../base/canonical-json.ts';
import { isoTime } from '../base/clock.ts';
import { type OperationProgress, progressSchema, toProgressJson } from './progress.ts';
import type { PlanResource } from './resource.ts';
import { closed, nullableMetadataRule, text, uuid } from './schema.ts';

export const checkpointStatuses = [
  'protecting',
  'available',
  'error',
  'deleting',
  'deleted',
  'error-deleting',
  'wait_copying',
  'copying',
] as const;
export type CheckpointStatus = (typeof checkpointStatuses)[number];

/** What is said of a checkpoint; every change is one generation more. */
export interface CheckpointWord {
  readonly generation: number;
  readonly status: CheckpointStatus;
}

/** Of two words of one generation the later in this list counts: `available` over `error`, for its data is there. */
export const wordPrecedence: readonly CheckpointStatus[] = [
  'protecting',
  'wait_copying',
  'copying',
  'error',
  'available',
  'deleting',
  'error-deleting',
  'deleted',
];

/** Above 0 when `a` counts over `b`; 0 when they say the same. */
export function compareWords(a: CheckpointWord, b: CheckpointWord): number {
  return a.generation - b.generation || wordPrecedence.indexOf(a.status) - wordPrecedence.indexOf(b.status);
}

/** The plan as it was when the checkpoint was made. */
export interface CheckpointPlan {
  readonly id: string;
  readonly name: string;
  readonly providerId: string;
  readonly resources: readonly PlanResource[];
}

const resourceStatuses = ['protecting', 'available', 'error', 'deleting', 'deleted'] as const;

/** What one resource of the graph came to. */
export interface CheckpointResource {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  readonly status: (typeof resourceStatuses)[number];
  readonly reason: string;
  /** Saved info of the protection plugin: opaque here. */
  readonly saved?: Json;
}

export interface Checkpoint {
  readonly id: string;
  readonly projectId: string;
  readonly providerId: string;
  readonly status: CheckpointStatus;
  readonly plan: CheckpointPlan;
  /** Karbor's JSON text of `[nodes, adjacency]`; null until the graph is built. */
  readonly resourceGraph: string | null;
  readonly extraInfo: Readonly<Record<string, unknown>> | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly resources: readonly CheckpointResource[];
  /** Why the status is `error` or `error-deleting`; null otherwise. */
  readonly reason: string | null;
}

/** A checkpoint as it is shown: with the live operation's progress while one runs here. */
export interface ShownCheckpoint extends Checkpoint {
  readonly progress: OperationProgress | null;
}

export const checkpointSchema = Type.Object(
  {
    id: uuid,
    project_id: text,
    status: Type.Unsafe<CheckpointStatus>({ type: 'string', enum: checkpointStatuses }),
    protection_plan: Type.Object({
      id: uuid,
      name: text,
      provider_id: uuid,
      resources: Type.Array(
        Type.Object({
          id: text,
          type: text,
          name: text,
          extra_info: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'JSON text.' }),
        }),
      ),
    }),
    resource_graph: Type.Optional(
      Type.String({ description: 'JSON text of `[nodes, adjacency]`; absent until the graph is known.' }),
    ),
    created_at: Type.String({ format: 'date', description: 'The UTC date alone.' }),
    created_at_time: Type.String({ format: 'date-time', description: 'The same moment, in full.' }),
    extra_info: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'JSON text of an object.' }),
    reason: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Why the status is `error` or `error-deleting`.',
    }),
    resources: Type.Array(
      Type.Object({
        id: text,
        type: text,
        name: text,
        status: Type.Unsafe<CheckpointResource['status']>({ type: 'string', enum: resourceStatuses }),
        reason: text,
      }),
      { description: 'What each resource of the graph came to.' },
    ),
    progress: progressSchema,
  },
  {
    $id: 'Checkpoint',
    description: 'The result of one protect, kept in the bank.',
    examples: [
      {
        id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        project_id: '5b0a7c21e9d84f3f8a6be2c4d1907f36',
        status: 'available',
        protection_plan: {
          id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
          name: 'nightly db',
          provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
          resources: [{ id: '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0', type: 'Host::Directory', name: 'db-data', extra_info: null }],
        },
        resource_graph: '[{"0x0":["Host::Directory","7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0","db-data",null]},[]]',
        created_at: '2031-03-09',
        created_at_time: '2031-03-09T02:00:03.512Z',
        extra_info: '{"created_by":"manual"}',
        reason: null,
        resources: [
          {
            id: '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0',
            type: 'Host::Directory',
            name: 'db-data',
            status: 'available',
            reason: '',
          },
        ],
        progress: null,
      },
    ],
  },
);

/** The metadata is called `extra-info`, with a hyphen, on the way in; the underscore form is refused, as Karbor does it. */
export const newCheckpointSchema = closed(
  { plan_id: uuid, 'extra-info': Type.Optional(nullableMetadataRule) },
  {
    $id: 'NewCheckpoint',
    examples: [{ plan_id: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25', 'extra-info': { note: 'before upgrade' } }],
  },
);

export const checkpointResetSchema = closed(
  { state: Type.Unsafe<'available' | 'error'>({ type: 'string', enum: ['available', 'error'] }) },
  { $id: 'CheckpointReset', examples: [{ state: 'available' }] },
);

export type CheckpointJson = Static<typeof checkpointSchema>;

/** `resource_graph` is left out while it is null: OpenStackClient decodes the member whenever it is there. */
export function toCheckpointJson(checkpoint: ShownCheckpoint): CheckpointJson {
  const { plan } = checkpoint;
  const time = isoTime(checkpoint.createdAt);
  const json: CheckpointJson = {
    id: checkpoint.id,
    project_id: checkpoint.projectId,
    status: checkpoint.status,
    protection_plan: {
      id: plan.id,
      name: plan.name,
      provider_id: plan.providerId,
      resources: plan.resources.map(({ id, type, name, extraInfo }) => ({
        id,
        type,
        name,
        extra_info: extraInfo === undefined ? null : JSON.stringify(extraInfo),
      })),
    },
    created_at: time.slice(0, 10),
    created_at_time: time,
    extra_info: checkpoint.extraInfo === null ? null : JSON.stringify(checkpoint.extraInfo),
    reason: checkpoint.reason,
    resources: checkpoint.resources.map(({ id, type, name, status, reason }) => ({ id, type, name, status, reason })),
    progress: toProgressJson(checkpoint.progress),
  };
  if (checkpoint.resourceGraph !== null) json.resource_graph = checkpoint.resourceGraph;
  return json;
}
