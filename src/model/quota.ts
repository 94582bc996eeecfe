import { type TInteger, Type } from 'typebox';

/** What a project can have too much of: Karbor's two, and bytes. */
export const quotaResources = ['plans', 'checkpoints', 'protected_bytes', 'stored_bytes'] as const;
export type QuotaResource = (typeof quotaResources)[number];

/** A limit each; -1 is none. */
export type QuotaLimits = Readonly<Record<QuotaResource, number>>;

export interface QuotaUsage {
  readonly limit: number;
  readonly inUse: number;
  /** Held by what is under way and not counted yet. */
  readonly reserved: number;
}

export type QuotaDetail = Readonly<Record<QuotaResource, QuotaUsage>>;

const meanings: Readonly<Record<QuotaResource, string>> = {
  plans: 'Plans that are not deleted.',
  checkpoints: 'Checkpoints that are not deleted or being deleted; copies do not count.',
  protected_bytes: 'Sizes of all protected resources, each in its newest good checkpoint.',
  stored_bytes: 'Bytes in the banks, after deduplication and compression.',
};

export function eachQuotaResource<T>(make: (resource: QuotaResource) => T): Record<QuotaResource, T> {
  const [plans, checkpoints, protectedBytes, storedBytes] = quotaResources;
  return {
    plans: make(plans),
    checkpoints: make(checkpoints),
    protected_bytes: make(protectedBytes),
    stored_bytes: make(storedBytes),
  };
}

const limit = (resource: QuotaResource): TInteger =>
  Type.Integer({ minimum: -1, description: `${meanings[resource]} -1: any number.` });

const limits = eachQuotaResource(limit);

const exampleLimits = { plans: 50, checkpoints: -1, protected_bytes: -1, stored_bytes: -1 };

export const quotaSchema = Type.Object(
  { ...limits, id: Type.String({ description: 'The project.' }) },
  { $id: 'Quota', examples: [{ ...exampleLimits, id: '5b0a7c21e9d84f3f8a6be2c4d1907f36' }] },
);

export const quotaClassSchema = Type.Object(
  { ...limits, id: Type.String({ description: 'The name of the class.' }) },
  { $id: 'QuotaClass', examples: [{ ...exampleLimits, id: 'default' }] },
);

export const quotaLimitsSchema = Type.Object(limits, { $id: 'QuotaLimits', examples: [exampleLimits] });

const usage = Type.Object(
  { limit: Type.Integer({ minimum: -1 }), in_use: Type.Integer({ minimum: 0 }), reserved: Type.Integer({ minimum: 0 }) },
  { $id: 'QuotaUsage', examples: [{ limit: 50, in_use: 1, reserved: 0 }] },
);

export const quotaDetailSchema = Type.Object(
  { ...eachQuotaResource(() => usage), id: Type.String({ description: 'The project.' }) },
  { $id: 'QuotaDetail' },
);

/** A number, or one as text, as Karbor takes both; what is no resource is passed over. */
const newLimit = Type.Optional(
  Type.Unsafe<number | string>({
    type: ['integer', 'string'],
    minimum: -1,
    maximum: Number.MAX_SAFE_INTEGER,
    pattern: '^ *(-1|[0-9]{1,15}) *$',
    description: 'A whole number from -1, which is any number; text of one will do.',
  }),
);

export const quotaChangeSchema = Type.Object(
  eachQuotaResource(() => newLimit),
  { $id: 'QuotaChange', description: 'The limits to set; the others stay.', examples: [{ plans: 12 }] },
);

export type QuotaChange = Readonly<Partial<Record<QuotaResource, number>>>;

/** The members that are quotas, as numbers. */
export function fromQuotaChangeJson(given: Readonly<Record<string, unknown>>): QuotaChange {
  const named = quotaResources.filter((resource) => given[resource] !== undefined);
  return Object.fromEntries(named.map((resource) => [resource, Number(given[resource])]));
}

export function toQuotaDetailJson(detail: QuotaDetail) {
  return eachQuotaResource((resource) => {
    const { limit, inUse, reserved } = detail[resource];
    return { limit, in_use: inUse, reserved };
  });
}
