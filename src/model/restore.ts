import { type Static, Type } from 'typebox';
import { type OperationProgress, progressSchema, toProgressJson } from './progress.ts';
import { type Parameters, parametersSchema } from './resource.ts';
import { closed, credentialsRule, nullableText, parametersRule, text, textMap, uuid } from './schema.ts';

export type RestoreStatus = 'in_progress' | 'success' | 'fail';

export interface Restore {
  readonly id: string;
  readonly projectId: string;
  readonly providerId: string;
  readonly checkpointId: string;
  readonly restoreTarget: string | null;
  readonly parameters: Parameters;
  readonly status: RestoreStatus;
  /** `TYPE#NEW_ID`, or `TYPE#ORIGINAL_ID` while nothing new has an id → `restoring`, `available`, `error`. */
  readonly resourcesStatus: Readonly<Record<string, string>>;
  readonly resourcesReason: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

export interface ShownRestore extends Restore {
  readonly progress: OperationProgress | null;
}

export const restoreSchema = Type.Object(
  {
    id: uuid,
    project_id: text,
    provider_id: uuid,
    checkpoint_id: uuid,
    restore_target: nullableText,
    parameters: parametersSchema,
    status: Type.Unsafe<RestoreStatus>({ type: 'string', enum: ['in_progress', 'success', 'fail'] }),
    resources_status: textMap,
    resources_reason: textMap,
    progress: progressSchema,
  },
  {
    $id: 'Restore',
    description:
      'One restore of one checkpoint. The two maps are keyed by `TYPE#NEW_ID`, or by `TYPE#ORIGINAL_ID` while nothing new has an id.',
    examples: [
      {
        id: '4b7e9f60-0d31-4a57-8a0c-92f4c1d7e833',
        project_id: '5b0a7c21e9d84f3f8a6be2c4d1907f36',
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        restore_target: null,
        parameters: { 'Host::Directory': { restore_name: 'db-data-restored' } },
        status: 'success',
        resources_status: { 'Host::Directory#b0c6d1e5-7f42-5c39-8b1d-2a3e4f5a6b7c': 'available' },
        resources_reason: { 'Host::Directory#b0c6d1e5-7f42-5c39-8b1d-2a3e4f5a6b7c': '' },
        progress: null,
      },
    ],
  },
);

export const newRestoreSchema = closed(
  {
    provider_id: uuid,
    checkpoint_id: uuid,
    restore_target: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 255 })),
    restore_auth: Type.Optional(credentialsRule),
    parameters: parametersRule,
  },
  {
    $id: 'NewRestore',
    description:
      'Parameter keys use the original resource ids. `restore_auth` is used for the restore and then forgotten: never stored, never shown.',
    examples: [
      {
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        parameters: { 'Host::Directory': { restore_name: 'db-data-restored' } },
      },
    ],
  },
);

export type RestoreJson = Static<typeof restoreSchema>;

export function toRestoreJson(restore: ShownRestore): RestoreJson {
  return {
    id: restore.id,
    project_id: restore.projectId,
    provider_id: restore.providerId,
    checkpoint_id: restore.checkpointId,
    restore_target: restore.restoreTarget,
    parameters: restore.parameters,
    status: restore.status,
    resources_status: restore.resourcesStatus,
    resources_reason: restore.resourcesReason,
    progress: toProgressJson(restore.progress),
  };
}
