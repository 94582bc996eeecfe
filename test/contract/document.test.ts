import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { documentFile, renderDocument } from '../../openapi/write.ts';
import { createTestApi } from '../kit/api.ts';

interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: unknown[];
  parameters?: { name: string; description?: string; in: string; example?: unknown }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
}

type Content = Record<string, { schema: { $ref?: string }; example?: unknown }>;

interface Document {
  openapi: string;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { examples?: unknown[] }> };
}

const text = await readFile(documentFile, 'utf8');
const document: Document = JSON.parse(text);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
);

describe('the document', () => {
  test('is what the routes say: `npm run openapi:write` makes it so', async () => {
    expect(await renderDocument()).toBe(text);
  });

  test('is what the service shows', async () => {
    const { app } = await createTestApi();
    expect((await app.inject('/openapi.json')).json()).toEqual(document);
    await app.close();
  });

  test('has every route of this version and no other', () => {
    expect(operations.map(({ name }) => name).sort()).toEqual(
      [
        'GET /',
        'GET /healthz',
        'GET /openapi.json',
        'GET /readyz',
        'GET /v1',
        'GET /v1/{project_id}/operation_logs',
        'GET /v1/{project_id}/operation_logs/{operation_log_id}',
        'GET /v1/{project_id}/os-services',
        'PUT /v1/{project_id}/os-services/{service_id}',
        'GET /v1/{project_id}/plans',
        'POST /v1/{project_id}/plans',
        'DELETE /v1/{project_id}/plans/{plan_id}',
        'GET /v1/{project_id}/plans/{plan_id}',
        'PUT /v1/{project_id}/plans/{plan_id}',
        'GET /v1/{project_id}/protectables',
        'GET /v1/{project_id}/protectables/{protectable_type}',
        'GET /v1/{project_id}/protectables/{protectable_type}/instances',
        'GET /v1/{project_id}/protectables/{protectable_type}/instances/{instance_id}',
        'GET /v1/{project_id}/providers',
        'GET /v1/{project_id}/providers/{provider_id}',
        'GET /v1/{project_id}/providers/{provider_id}/checkpoints',
        'POST /v1/{project_id}/providers/{provider_id}/checkpoints',
        'POST /v1/{project_id}/providers/{provider_id}/checkpoints/action',
        'DELETE /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}',
        'GET /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}',
        'PUT /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}',
        'POST /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/action',
        'GET /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/entries',
        'GET /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/file',
        'GET /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/raw',
        'GET /v1/{project_id}/providers/{provider_id}/checkpoints/{checkpoint_id}/resources/{resource_id}/tar',
        'GET /v1/{project_id}/providers/{provider_id}/gc',
        'POST /v1/{project_id}/providers/{provider_id}/gc',
        'GET /v1/{project_id}/providers/{provider_id}/gc/{gc_id}',
        'GET /v1/{project_id}/quota_classes/{name}',
        'PUT /v1/{project_id}/quota_classes/{name}',
        'DELETE /v1/{project_id}/quotas/{quota_project_id}',
        'GET /v1/{project_id}/quotas/{quota_project_id}',
        'PUT /v1/{project_id}/quotas/{quota_project_id}',
        'GET /v1/{project_id}/quotas/{quota_project_id}/defaults',
        'GET /v1/{project_id}/quotas/{quota_project_id}/detail',
        'GET /v1/{project_id}/restores',
        'POST /v1/{project_id}/restores',
        'GET /v1/{project_id}/restores/{restore_id}',
        'GET /v1/{project_id}/scheduled_operations',
        'POST /v1/{project_id}/scheduled_operations',
        'DELETE /v1/{project_id}/scheduled_operations/{scheduled_operation_id}',
        'GET /v1/{project_id}/scheduled_operations/{scheduled_operation_id}',
        'GET /v1/{project_id}/scheduled_operations/{scheduled_operation_id}/retention',
        'GET /v1/{project_id}/scheduled_operations/{scheduled_operation_id}/runs',
        'GET /v1/{project_id}/triggers',
        'POST /v1/{project_id}/triggers',
        'DELETE /v1/{project_id}/triggers/{trigger_id}',
        'GET /v1/{project_id}/triggers/{trigger_id}',
        'PUT /v1/{project_id}/triggers/{trigger_id}',
        'GET /v1/{project_id}/verifications',
        'POST /v1/{project_id}/verifications',
        'GET /v1/{project_id}/verifications/{verification_id}',
      ].sort(),
    );
  });

  test('gives each operation its own id', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each(operations)('$name says what it does and which faults it has', ({ path, operation }) => {
    expect(operation).toMatchObject({
      operationId: expect.any(String),
      summary: expect.any(String),
      description: expect.any(String),
    });
    expect(document.tags.map(({ name }) => name)).toContain(operation.tags?.[0]);
    const statuses = Object.keys(operation.responses);
    if (path.startsWith('/v1/{')) {
      expect(statuses).toEqual(expect.arrayContaining(['200', '400', '401', '403', '503']));
      expect(operation.security).toBeUndefined();
    } else {
      expect(operation.security).toEqual([]);
    }
    expect(statuses).not.toContain('500');
    for (const { description } of Object.values(operation.responses)) expect(description).not.toBe('Default Response');
  });

  test.each(operations)('$name shows what is sent and what comes back', ({ operation }) => {
    for (const parameter of operation.parameters ?? []) {
      expect(parameter).toMatchObject({ description: expect.any(String) });
      if (parameter.in === 'path') expect(parameter).toHaveProperty('example');
    }
    const answers = Object.values(operation.responses).map(({ content }) => content);
    const json = [operation.requestBody?.content, ...answers].flatMap((content) => content?.['application/json'] ?? []);
    for (const { example, schema } of json) {
      const noun = schema.$ref?.split('/').at(-1) ?? '';
      expect(example ?? document.components.schemas[noun]?.examples?.[0]).toBeDefined();
    }
  });

  test('keeps the names of the nouns, and its examples are true', () => {
    const { schemas } = document.components;
    expect(Object.keys(schemas)).toEqual(
      expect.arrayContaining(['Plan', 'Checkpoint', 'Restore', 'OperationLog', 'Provider', 'Progress', 'ItemNotFound']),
    );
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'openapi', ...document });
    const examples = Object.entries(schemas).flatMap(([name, { examples = [] }]) =>
      examples.map((example) => ({ name, example })),
    );
    expect(examples.length).toBeGreaterThanOrEqual(35);
    for (const { name, example } of examples) {
      const validate = ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
      expect([name, validate(example), validate.errors]).toEqual([name, true, null]);
    }
  });
});
