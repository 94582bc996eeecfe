import { type Static, Type } from 'typebox';
import { isoTime } from '../base/clock.ts';
import { type OperationProgress, progressSchema, toProgressJson } from './progress.ts';
import { closed, nullableText, text, uuid } from './schema.ts';

export type CollectionStatus = 'in_progress' | 'success' | 'fail';

/** Packs of a repository, and their bytes. */
export type PackAmount = { readonly packs: number; readonly bytes: number };

/** What was found in the repository of one project. */
export interface CollectedRepository {
  readonly projectId: string;
  /** Why nothing was collected; empty when all went well. */
  readonly reason: string;
  /** Of the garbage collections of this repository; null when it was not looked at. */
  readonly generation: number | null;
  readonly deleted: PackAmount;
  /** They have left the quarantine, and the next run deletes them. */
  readonly condemned: PackAmount;
  /** Deleted checkpoints that need them can still be had back. */
  readonly quarantined: PackAmount;
  /** Seen without use for the first time. */
  readonly suspects: PackAmount;
  readonly kept: PackAmount;
}

export interface GarbageCollection {
  readonly id: string;
  readonly providerId: string;
  /** Nothing is changed: `deleted` is what a run would delete now. */
  readonly dryRun: boolean;
  readonly status: CollectionStatus;
  readonly repositories: readonly CollectedRepository[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly endedAt: number | null;
}

export interface ShownGarbageCollection extends GarbageCollection {
  readonly progress: OperationProgress | null;
}

const amount = Type.Object({ packs: Type.Integer({ minimum: 0 }), bytes: Type.Number({ minimum: 0 }) }, { $id: 'PackAmount' });

const collectedRepositorySchema = Type.Object(
  {
    project_id: text,
    reason: Type.String({ description: 'Why nothing was collected; empty when all went well.' }),
    generation: Type.Unsafe<number | null>({ type: ['integer', 'null'] }),
    deleted: amount,
    condemned: amount,
    quarantined: amount,
    suspects: amount,
    kept: amount,
  },
  { $id: 'CollectedRepository' },
);

const none = { packs: 0, bytes: 0 };

export const garbageCollectionSchema = Type.Object(
  {
    id: uuid,
    provider_id: uuid,
    dry_run: Type.Boolean({ description: 'Nothing is changed: `deleted` is what a run would delete now.' }),
    status: Type.Unsafe<CollectionStatus>({ type: 'string', enum: ['in_progress', 'success', 'fail'] }),
    repositories: Type.Array(collectedRepositorySchema, { description: 'One of each project; empty until it is over.' }),
    created_at: text,
    ended_at: nullableText,
    progress: progressSchema,
  },
  {
    $id: 'GarbageCollection',
    description:
      'One garbage collection of the repositories of a provider. What nothing needs is first a suspect, then in quarantine, then condemned, then deleted, one step a run.',
    examples: [
      {
        id: 'b7c3d9e1-58b4-4f26-9e0d-7c1b2a3f4e5d',
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        dry_run: false,
        status: 'success',
        repositories: [
          {
            project_id: '5b0a7c21e9d84f3f8a6be2c4d1907f36',
            reason: '',
            generation: 7,
            deleted: { packs: 3, bytes: 50_331_648 },
            condemned: none,
            quarantined: { packs: 1, bytes: 16_777_216 },
            suspects: none,
            kept: { packs: 40, bytes: 671_088_640 },
          },
        ],
        created_at: '2031-03-09T02:00:03.512Z',
        ended_at: '2031-03-09T02:00:09.112Z',
        progress: null,
      },
    ],
  },
);

export const newGarbageCollectionSchema = closed(
  { dry_run: Type.Optional(Type.Boolean({ default: false })) },
  { $id: 'NewGarbageCollection', examples: [{ dry_run: true }] },
);

export function toGarbageCollectionJson(collection: ShownGarbageCollection): Static<typeof garbageCollectionSchema> {
  return {
    id: collection.id,
    provider_id: collection.providerId,
    dry_run: collection.dryRun,
    status: collection.status,
    repositories: collection.repositories.map(({ projectId, ...found }) => ({ project_id: projectId, ...found })),
    created_at: isoTime(collection.createdAt),
    ended_at: collection.endedAt === null ? null : isoTime(collection.endedAt),
    progress: toProgressJson(collection.progress),
  };
}
