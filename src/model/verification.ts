import { type Static, Type } from 'typebox';
import { isoTime } from '../base/clock.ts';
import { type OperationProgress, progressSchema, toProgressJson } from './progress.ts';
import { type Parameters, parametersSchema } from './resource.ts';
import { closed, nullableText, parametersRule, text, textMap, uuid } from './schema.ts';

export type VerificationStatus = 'in_progress' | 'success' | 'fail';

const outcomes = ['sound', 'damaged', 'failed'] as const;

/** What was read of one resource, and what came of it. */
export interface VerifiedResource {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  /** `failed`: it could not be read to the end, so nothing is known of the rest. */
  readonly outcome: (typeof outcomes)[number];
  /** Share of the stored bytes that was to be read; null when the plugin does not say. */
  readonly percent: number | null;
  readonly readBytes: number | null;
  /** Of the whole content, `<algorithm>:<hex>`, when all of it was read and is right. */
  readonly digest: string | null;
  /** The first of them. */
  readonly damages: readonly string[];
  readonly damageCount: number;
  /** Milliseconds since the epoch at which the reading ended; null when it never did. */
  readonly checkedAt: number | null;
}

export interface Verification {
  readonly id: string;
  readonly projectId: string;
  readonly providerId: string;
  readonly checkpointId: string;
  readonly parameters: Parameters;
  readonly status: VerificationStatus;
  /** `TYPE#ORIGINAL_ID` → `available` or `error`. */
  readonly resourcesStatus: Readonly<Record<string, string>>;
  readonly resourcesReason: Readonly<Record<string, string>>;
  readonly resources: readonly VerifiedResource[];
  readonly createdAt: number;
}

export interface ShownVerification extends Verification {
  readonly progress: OperationProgress | null;
}

const verifiedResourceSchema = Type.Object(
  {
    id: text,
    type: text,
    name: text,
    outcome: Type.Unsafe<VerifiedResource['outcome']>({
      type: 'string',
      enum: outcomes,
      description: '`failed`: it could not be read to the end.',
    }),
    percent: Type.Unsafe<number | null>({
      type: ['number', 'null'],
      description: 'Share of the stored bytes that was to be read.',
    }),
    read_bytes: Type.Unsafe<number | null>({
      type: ['number', 'null'],
      description: 'Bytes read back from the bank and compared.',
    }),
    algorithm: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'How the digest is made.' }),
    digest: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Of the whole content, when all of it was read and is right; equal to what the protect recorded.',
    }),
    damages: Type.Array(text, { description: 'The first damages: the object of the bank, what is wrong, and what it hits.' }),
    damage_count: Type.Integer({ minimum: 0 }),
    checked_at: nullableText,
  },
  { $id: 'VerifiedResource' },
);

export const verificationSchema = Type.Object(
  {
    id: uuid,
    project_id: text,
    provider_id: uuid,
    checkpoint_id: uuid,
    parameters: parametersSchema,
    status: Type.Unsafe<VerificationStatus>({ type: 'string', enum: ['in_progress', 'success', 'fail'] }),
    resources_status: textMap,
    resources_reason: textMap,
    resources: Type.Array(verifiedResourceSchema, { description: 'What was read of each resource; empty until it is over.' }),
    progress: progressSchema,
  },
  {
    $id: 'Verification',
    description:
      'One verification of one checkpoint: bytes read back from the bank and compared. The two maps are keyed by `TYPE#ORIGINAL_ID`.',
    examples: [
      {
        id: 'a9d3c7e1-58b4-4f26-9e0d-7c1b2a3f4e5d',
        project_id: '5b0a7c21e9d84f3f8a6be2c4d1907f36',
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        parameters: { 'Host::Block': { percent: '100' } },
        status: 'success',
        resources_status: { 'Host::Block#7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0': 'available' },
        resources_reason: { 'Host::Block#7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0': '' },
        resources: [
          {
            id: '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0',
            type: 'Host::Block',
            name: 'disk.img',
            outcome: 'sound',
            percent: 100,
            read_bytes: 167_772_160,
            algorithm: 'blake3-keyed',
            digest: '6b0f4c1a9e7d2358b0c6d1e57f42a391d8b12a3e4f5a6b7c8d9e0f1a2b3c4d5e',
            damages: [],
            damage_count: 0,
            checked_at: '2031-03-09T02:07:41.090Z',
          },
        ],
        progress: null,
      },
    ],
  },
);

export const newVerificationSchema = closed(
  { provider_id: uuid, checkpoint_id: uuid, parameters: Type.Optional(parametersRule) },
  {
    $id: 'NewVerification',
    description: 'The options of each type are in its `verify_schema`; without any, every byte is read.',
    examples: [
      {
        provider_id: '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11',
        checkpoint_id: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
        parameters: { 'Host::Block': { percent: 10 } },
      },
    ],
  },
);

export function toVerificationJson(verification: ShownVerification): Static<typeof verificationSchema> {
  return {
    id: verification.id,
    project_id: verification.projectId,
    provider_id: verification.providerId,
    checkpoint_id: verification.checkpointId,
    parameters: verification.parameters,
    status: verification.status,
    resources_status: verification.resourcesStatus,
    resources_reason: verification.resourcesReason,
    resources: verification.resources.map(toVerifiedResourceJson),
    progress: toProgressJson(verification.progress),
  };
}

function toVerifiedResourceJson(resource: VerifiedResource): Static<typeof verifiedResourceSchema> {
  const [algorithm = null, digest = null] = resource.digest?.split(':', 2) ?? [];
  return {
    id: resource.id,
    type: resource.type,
    name: resource.name,
    outcome: resource.outcome,
    percent: resource.percent,
    read_bytes: resource.readBytes,
    algorithm,
    digest,
    damages: [...resource.damages],
    damage_count: resource.damageCount,
    checked_at: resource.checkedAt === null ? null : isoTime(resource.checkedAt),
  };
}
