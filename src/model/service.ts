import { type Static, Type } from 'typebox';
import { microsecondTime } from '../base/clock.ts';
import { nullableText, text } from './schema.ts';

/** Karbor's names of the processes: workers are `karbor-protection`, schedulers `karbor-operationengine`. */
export const serviceBinaries = ['karbor-protection', 'karbor-operationengine'] as const;
export type ServiceBinary = (typeof serviceBinaries)[number];

/** One role of one process, as it last said of itself. */
export interface Service {
  readonly id: number;
  readonly binary: ServiceBinary;
  readonly host: string;
  readonly status: 'enabled' | 'disabled';
  /** `down` when no heartbeat came for a minute. */
  readonly state: 'up' | 'down';
  /** Milliseconds since the epoch, by the database's clock. */
  readonly updatedAt: number;
  readonly disabledReason: string | null;
}

export const serviceSchema = Type.Object(
  {
    id: Type.Integer(),
    binary: Type.Unsafe<ServiceBinary>({ type: 'string', enum: serviceBinaries }),
    host: text,
    status: Type.Unsafe<Service['status']>({ type: 'string', enum: ['enabled', 'disabled'] }),
    state: Type.Unsafe<Service['state']>({ type: 'string', enum: ['up', 'down'] }),
    updated_at: Type.String({ description: 'The last heartbeat; UTC, without a zone.' }),
    disabled_reason: nullableText,
  },
  {
    $id: 'Service',
    description: 'One role of one process of Karri.',
    examples: [
      {
        id: 2,
        binary: 'karbor-operationengine',
        host: 'ctl-1',
        status: 'enabled',
        state: 'up',
        updated_at: '2031-03-09T02:00:03.000000',
        disabled_reason: null,
      },
    ],
  },
);

/** No wrapper, and what is not known is passed over: as Karbor has it. */
export const serviceChangeSchema = Type.Object(
  { status: Type.Optional(text), disabled_reason: Type.Optional(nullableText) },
  { $id: 'ServiceChange', examples: [{ status: 'disabled', disabled_reason: 'disk swap' }] },
);

export function toServiceJson(service: Service): Static<typeof serviceSchema> {
  const { id, binary, host, status, state, updatedAt, disabledReason } = service;
  return { id, binary, host, status, state, updated_at: microsecondTime(updatedAt), disabled_reason: disabledReason };
}
