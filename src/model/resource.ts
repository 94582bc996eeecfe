import { type Static, Type } from 'typebox';
import { freeObject, type Metadata, nullableFreeObject, text } from './schema.ts';

/** A resource as a plan names it. `extraInfo` is absent when the client gave none. */
export interface PlanResource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly extraInfo?: Readonly<Record<string, unknown>>;
}

/** `TYPE` or `TYPE#ID` → option → text. Values are stringified as Karbor does it: `true` is `"True"`, `3` is `"3"`. */
export type Parameters = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The only types that may be parameter keys: Karbor's eight, and Karri's own beside them. */
export const parameterTypes: readonly string[] = [
  'OS::Keystone::Project',
  'OS::Nova::Server',
  'OS::Cinder::Volume',
  'OS::Glance::Image',
  'OS::Manila::Share',
  'OS::Neutron::Network',
  'OS::Trove::Instance',
  'OS::Kubernetes::Pod',
  'Host::Directory',
  'Host::Block',
];

export function stringifyParameters(given: Readonly<Record<string, Metadata>>): Parameters {
  return mapValues(given, (options) => mapValues(options, stringify));
}

/** As Karbor keeps values: `True`, `False`, numbers in digits. */
export function stringify(value: boolean | number | string): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  return String(value);
}

function mapValues<From, To>(source: Readonly<Record<string, From>>, turn: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(source).map(([key, value]) => [key, turn(value)]));
}

const resourceMembers = {
  id: Type.String({ minLength: 1, maxLength: 255 }),
  type: Type.String({ minLength: 1, maxLength: 255 }),
  name: Type.String({ maxLength: 255 }),
};

/** Members beyond these are dropped, as Karbor does it. */
export const newPlanResourceSchema = Type.Object(
  { ...resourceMembers, extra_info: Type.Optional(nullableFreeObject) },
  { $id: 'NewPlanResource' },
);

export const planResourceSchema = Type.Object(
  { id: text, name: text, type: text, extra_info: Type.Optional(freeObject) },
  { $id: 'PlanResource', description: 'A resource as a plan names it; `extra_info` only when it was given.' },
);

export function toPlanResourceJson(resource: PlanResource): Static<typeof planResourceSchema> {
  const { id, name, type, extraInfo } = resource;
  return extraInfo === undefined ? { id, name, type } : { id, name, type, extra_info: extraInfo };
}

export function fromPlanResourceJson(given: Static<typeof newPlanResourceSchema>): PlanResource {
  const { id, name, type, extra_info } = given;
  return extra_info === undefined || extra_info === null ? { id, name, type } : { id, name, type, extraInfo: extra_info };
}

/** `TYPE#ID`-keyed or `TYPE`-keyed options with their values as text. */
export const parametersSchema = Type.Unsafe<Parameters>({
  type: 'object',
  additionalProperties: { type: 'object', additionalProperties: { type: 'string' } },
  description: '`TYPE` or `TYPE#ID` → option → text.',
});
