import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type ApiDocument, findBreaks } from '../../openapi/compatibility.ts';
import { documentFile } from '../../openapi/write.ts';

const folder = fileURLToPath(new URL('../../openapi/released', import.meta.url));
const text = readFileSync(documentFile, 'utf8');
const current: ApiDocument = JSON.parse(text);

describe('a client of a released document', () => {
  const released = readdirSync(folder);

  test('there is one', () => {
    expect(released.length).toBeGreaterThan(0);
  });

  test.each(released)('%s goes on working', (name) => {
    expect(findBreaks(JSON.parse(readFileSync(join(folder, name), 'utf8')), current)).toEqual([]);
  });
});

/** The document with one place changed: the value of the last step is what `change` makes of it; undefined takes it away. */
function changed(steps: readonly string[], change: (value: never) => unknown): ApiDocument {
  const copy: unknown = JSON.parse(text);
  const last = steps.at(-1) ?? '';
  const holder = steps.slice(0, -1).reduce<Record<string, unknown>>((place, step) => Object(place[step]), Object(copy));
  const value = change(holder[last] as never);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy as ApiDocument;
}

const plans = ['paths', '/v1/{project_id}/plans'];
const nouns = ['components', 'schemas'];

describe('a break is found', () => {
  test.each<[string, ApiDocument, string]>([
    ['a path', changed(plans, () => undefined), 'GET /v1/{project_id}/plans is gone'],
    ['a method', changed([...plans, 'post'], () => undefined), 'POST /v1/{project_id}/plans is gone'],
    ['an id', changed([...plans, 'get', 'operationId'], () => 'plans'), 'is called plans, was listPlans'],
    [
      'a filter',
      changed([...plans, 'get', 'parameters'], (all: { name: string }[]) => all.filter(({ name }) => name !== 'sort')),
      'query sort is gone',
    ],
    [
      'a new duty',
      changed([...plans, 'get', 'parameters'], (all: object[]) => [
        ...all,
        { in: 'query', name: 'x', required: true, schema: {} },
      ]),
      'query x is required',
    ],
    ['a fault code', changed([...plans, 'post', 'responses', '413'], () => undefined), '413 is gone'],
    ['a member of an answer', changed([...nouns, 'Plan', 'properties', 'status'], () => undefined), 'plan.status is gone'],
    [
      'one that may be missing',
      changed([...nouns, 'Plan', 'required'], (all: string[]) => all.filter((key) => key !== 'name')),
      'plan.name may be missing',
    ],
    [
      'one that may be null',
      changed([...nouns, 'Plan', 'properties', 'name', 'type'], () => ['string', 'null']),
      'plan.name is string or null',
    ],
    [
      'one that must be sent',
      changed([...nouns, 'NewPlan', 'required'], (all: string[]) => [...all, 'description']),
      'plan.description is required',
    ],
    ['one that may not be sent', changed([...nouns, 'NewPlan', 'properties', 'hooks'], () => undefined), 'plan.hooks is gone'],
    ['a type', changed([...nouns, 'NewPlan', 'properties', 'description', 'type'], () => 'string'), 'plan.description is string'],
    [
      'a value',
      changed([...nouns, 'PlanChange', 'properties', 'status', 'enum'], () => ['started']),
      'may no longer be suspended',
    ],
  ])('%s', (_, document, expected) => {
    expect(findBreaks(current, document).join('\n')).toContain(expected);
  });

  test.each<[string, ApiDocument]>([
    ['more of an answer', changed([...nouns, 'Plan', 'properties', 'colour'], () => ({ type: 'string' }))],
    ['more that may be sent', changed([...nouns, 'NewPlan', 'properties', 'colour'], () => ({ type: 'string' }))],
    [
      'another operation',
      changed(['paths', '/v1/{project_id}/colours'], () => ({ get: { operationId: 'listColours', responses: {} } })),
    ],
    ['a value more', changed([...nouns, 'PlanChange', 'properties', 'status', 'enum'], (all: string[]) => [...all, 'waiting'])],
    ['null may be sent', changed([...nouns, 'NewPlan', 'properties', 'name', 'type'], () => ['string', 'null'])],
  ])('%s is none', (_, document) => {
    expect(findBreaks(current, document)).toEqual([]);
  });
});
