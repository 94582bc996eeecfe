import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc, { type Arbitrary } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documentFile } from '../../openapi/write.ts';
import { hostBlockProtectable, hostDirectoryProtectable } from '../../plugins/protectables/host/index.ts';
import { hostBlockProtection, hostDirectoryProtection } from '../../plugins/protections/host/index.ts';
import type { Api } from '../../src/api/declare.ts';
import { createNoauthIdentity } from '../../src/api/identity/noauth.ts';
import { createServer } from '../../src/api/server.ts';
import { sleep } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { openTestCloud, otherProviderId, providerId, type TestCloud } from '../kit/cloud.ts';
import { makeTestHost, type TestHost } from '../kit/host-volumes.ts';
import { seed } from '../kit/seeded.ts';
import { createSchemaInputs, type Known, nastyText, type Schema, spoil } from './fuzz-inputs.ts';

/** `npm run fuzz` sends 10 000; `KARRI_TEST_SEED` repeats a run, but for the ids that the service makes. */
const requests = Number(process.env.KARRI_FUZZ_REQUESTS ?? 600);
const hangMs = 60_000;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: Schema;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

interface Sent {
  readonly method: Method;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload?: string;
}

const document: Document = JSON.parse(await readFile(documentFile, 'utf8'));
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase() as Method, operation })),
);
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'openapi', ...document });

const plugins = [hostDirectoryProtectable, hostBlockProtectable, hostDirectoryProtection, hostBlockProtection];
const known: Known = new Map([
  ['provider_id', [providerId, otherProviderId]],
  ['protectable_type', ['Host::Directory', 'Host::Block']],
  ['quota_project_id', ['5b0a7c21e9d84f3f8a6be2c4d1907f36']],
  ['type', ['Host::Directory', 'Host::Block']],
  ['project_id', ['demo']],
  ['sort', ['created_at:asc', 'id', 'name:desc,id:asc']],
  ['pattern', ['0 2 * * *', 'BEGIN:VEVENT\nRRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=0;\nEND:VEVENT']],
  ['timezone', ['Europe/Berlin']],
  ['range', ['bytes=0-9', 'bytes=-1', 'bytes=5-']],
]);
const inputs = createSchemaInputs(document.components.schemas, known);
const errors: string[] = [];
let host: TestHost;
let cloud: TestCloud;
let app: Api;

beforeAll(async () => {
  host = await makeTestHost();
  mkdirSync(join(host.first, 'tree'));
  writeFileSync(join(host.first, 'tree', 'today.txt'), 'first thoughts\n');
  writeFileSync(join(host.first, 'disk.img'), Buffer.alloc(70_000, 1));
  const banks = { bank: createMemoryStore(), otherBank: createMemoryStore() };
  cloud = await openTestCloud({ ...banks, plugins, volumeRoots: [host.first] });
  app = await createServer({
    protection: cloud.protection,
    operations: cloud.operations,
    identity: createNoauthIdentity(),
    log: { ...silentLog, error: (_message, fields) => errors.push(String(Object(fields?.['error']).stack ?? fields?.['error'])) },
    readiness: async () => ({ ready: true, checks: {} }),
  });
  await app.ready();
  await makeCheckpoint();
});
afterAll(async () => {
  await app.close();
  await cloud[Symbol.asyncDispose]();
  await host.remove();
});

test(
  `${requests} requests that the document allows, or nearly: no 500, nothing undeclared, no hang; seed ${seed}`,
  async () => {
    console.log(`fuzz: seed ${seed}, ${requests} requests`);
    const failures: string[] = [];
    const statuses = new Map<number, number>();
    const good = new Set<string>();
    for (let n = 0; n < requests && failures.length < 20; n += 1) {
      const place = operations[n % operations.length]!;
      const [sent] = fc.sample(requestsOf(place), { numRuns: 1, seed: seed + n });
      const { status, failure } = await send(place.operation, sent!);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status < 400) good.add(place.operation.operationId);
      if (failure !== undefined) failures.push(`request ${n}: ${JSON.stringify(sent).slice(0, 600)}\n  ${failure}`);
    }
    console.log(
      `fuzz: ${[...statuses]
        .sort(([a], [b]) => a - b)
        .map(([status, count]) => `${status}: ${count}`)
        .join(', ')}`,
    );
    const never = operations.map(({ operation }) => operation.operationId).filter((id) => !good.has(id));
    console.log(`fuzz: ${good.size} of ${operations.length} operations had a good answer; never: ${never.join(' ')}`);
    expect(failures.join('\n\n')).toBe('');
    // Inputs that are all refused at the door would prove nothing.
    expect(good.size).toBeGreaterThan(operations.length / 2);
  },
  requests * 1000,
);

const perOperation = new Map<Operation, Arbitrary<Sent>>();

function requestsOf({ path, method, operation }: (typeof operations)[number]): Arbitrary<Sent> {
  const made = perOperation.get(operation) ?? makeRequests(path, method, operation);
  perOperation.set(operation, made);
  return made;
}

function makeRequests(path: string, method: Method, { parameters = [], requestBody }: Operation): Arbitrary<Sent> {
  const of = (kind: Parameter['in']): readonly Parameter[] => parameters.filter((parameter) => parameter.in === kind);
  const textOf = ({ name, schema }: Parameter): Arbitrary<string> =>
    fc.oneof({ weight: 12, arbitrary: inputs(schema, name).map(String) }, { weight: 1, arbitrary: nastyText });
  const paths = fc.record(Object.fromEntries(of('path').map((member) => [member.name, textOf(member)])));
  const some = (kind: Parameter['in']): Arbitrary<Record<string, string>> =>
    fc
      .subarray([...of(kind)], { maxLength: Math.min(3, of(kind).length) })
      .chain((members) => fc.record(Object.fromEntries(members.map((member) => [member.name, textOf(member)]))));
  const schema = requestBody?.content['application/json']?.schema;
  const goodBody = schema === undefined ? undefined : inputs(schema, '');
  const payload: Arbitrary<string | undefined> =
    goodBody === undefined
      ? fc.constant(undefined)
      : fc.oneof(
          { weight: 3, arbitrary: goodBody.map((body) => JSON.stringify(body)) },
          { weight: 2, arbitrary: spoil(goodBody) },
        );
  return fc
    .record({
      path: paths,
      query: some('query'),
      headers: some('header'),
      token: fc.oneof(
        { weight: 20, arbitrary: fc.constant('u:demo') },
        { weight: 1, arbitrary: fc.constantFrom('', 'x', 'u:other') },
      ),
      payload,
      type: fc.oneof(
        { weight: 20, arbitrary: fc.constant('application/json') },
        { weight: 1, arbitrary: fc.constantFrom('text/plain', '') },
      ),
    })
    .map((made) => ({
      method,
      url: path.replace(/\{(\w+)\}/g, (_, name: string) => segment(made.path[name] ?? '')) + queryText(made.query),
      headers: {
        ...headersOf(made.headers),
        'x-auth-token': made.token,
        ...(made.payload !== undefined && made.type !== '' && { 'content-type': made.type }),
      },
      ...(made.payload !== undefined && { payload: made.payload }),
    }));
}

/** Dots and nothing would make another path of it. */
function segment(text: string): string {
  const escaped = encodeURIComponent(text.toWellFormed());
  return escaped === '' || /^\.+$/.test(escaped) || escaped.endsWith('.json') ? 'x' : escaped;
}

function queryText(query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? '' : `?${text}`;
}

/** Node sends no others. */
function headersOf(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => /^[\x20-\x7e]*$/.test(value)));
}

async function send(operation: Operation, sent: Sent): Promise<{ status: number; failure?: string }> {
  const timer = new AbortController();
  const late = sleep(hangMs, timer.signal).then(
    () => undefined,
    () => undefined,
  );
  const response = await Promise.race([app.inject({ ...sent }), late]);
  timer.abort();
  if (response === undefined) return { status: 0, failure: 'no answer' };
  const status = response.statusCode;
  if (status === 500) return { status, failure: `500: ${errors.splice(0).join('\n  ')}` };
  const declared = operation.responses[String(status)];
  // Karbor's noauth middleware, which stands before the API.
  if (status === 204 && sent.headers['x-auth-token'] === '') return { status };
  if (declared === undefined) return { status, failure: `${status} is not declared: ${response.body.slice(0, 300)}` };
  if (!('application/json' in (declared.content ?? {}))) return { status };
  const answer: unknown = JSON.parse(response.body);
  const validate = validatorOf(sent.method, operation, status);
  if (!validate(answer))
    return { status, failure: `${status} breaks its schema: ${ajv.errorsText(validate.errors)}: ${response.body}` };
  remember(answer);
  return { status };
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(method: string, operation: Operation, status: number): ValidateFunction {
  const { path } = operations.find((one) => one.operation === operation)!;
  const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', 'application/json', 'schema'];
  const $ref = `openapi#/${pointer.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const validate = validators.get($ref) ?? ajv.compile({ $ref });
  validators.set($ref, validate);
  return validate;
}

/** `{"plan": {"id": …}}` → one more `plan_id`; the newest thirty are kept. */
function remember(answer: unknown): void {
  for (const [noun, value] of Object.entries(Object(answer))) {
    for (const item of Array.isArray(value) ? value : [value]) {
      const id: unknown = Object(item).id;
      if (typeof id !== 'string') continue;
      const name = idNames[noun.replace(/s$/, '')];
      if (name === undefined) continue;
      known.set(name, [...(known.get(name) ?? []).filter((one) => one !== id), id].slice(-30));
    }
  }
}

const idNames: Readonly<Record<string, string>> = {
  plan: 'plan_id',
  checkpoint: 'checkpoint_id',
  restore: 'restore_id',
  verification: 'verification_id',
  trigger_info: 'trigger_id',
  trigger: 'trigger_id',
  scheduled_operation: 'scheduled_operation_id',
  operation: 'scheduled_operation_id',
  operation_log: 'operation_log_id',
  gc: 'gc_id',
  service: 'service_id',
  instance: 'instance_id',
};

/** One of everything that takes long to be hit upon by chance. */
async function makeCheckpoint(): Promise<void> {
  const headers = { 'x-auth-token': 'u:demo', 'content-type': 'application/json' };
  const call = async (method: 'GET' | 'POST', url: string, payload?: object) => {
    const response = await app.inject({ method, url: `/v1/demo${url}`, headers, ...(payload && { payload }) });
    remember(response.json());
    return response.json();
  };
  const { instances } = await call('GET', '/protectables/Host::Directory/instances');
  const resources = [{ type: 'Host::Directory', id: instances[0].id, name: 'tree' }];
  const { plan } = await call('POST', '/plans', { plan: { name: 'n', provider_id: providerId, resources, parameters: {} } });
  const { checkpoint } = await call('POST', `/providers/${providerId}/checkpoints`, { checkpoint: { plan_id: plan.id } });
  await cloud.settled(checkpoint.id);
  for (const name of ['resource_id', 'id']) known.set(name, [instances[0].id]);
  known.set('path', ['/', 'today.txt', 'tree']);
}
