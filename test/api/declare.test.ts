import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Api } from '../../src/api/declare.ts';
import { createTestApi } from '../kit/api.ts';

let app: Api;
beforeAll(async () => {
  ({ app } = await createTestApi());
});
afterAll(() => app.close());

const schema = {
  operationId: 'getThing',
  tags: ['things'],
  summary: 'Show a thing',
  description: 'One thing.',
  response: { 200: Type.Object({}) },
};
const handler = async () => ({});

describe('a route', () => {
  test('declared in full is taken', () => {
    expect(() => app.get('/things', { config: { rule: 'plan:get' }, schema }, handler)).not.toThrow();
  });

  test.each(['operationId', 'tags', 'summary', 'description', 'response'] as const)('without %s stops the boot', (member) => {
    const { [member]: _left, ...rest } = schema;
    expect(() => app.get('/things', { config: { rule: 'plan:get' }, schema: rest }, handler)).toThrow(
      expect.objectContaining({ code: 'api.undeclared_route', message: 'GET /things is not declared in full.' }),
    );
  });

  test('without a rule, or with nothing at all, stops the boot', () => {
    const undeclared = expect.objectContaining({ code: 'api.undeclared_route' });
    expect(() => app.get('/things', { schema }, handler)).toThrow(undeclared);
    expect(() => app.get('/things', handler)).toThrow(undeclared);
  });

  test('whose schema takes the name of another stops the boot', () => {
    const response = { 200: Type.Object({ other: Type.String() }, { $id: 'Plan' }) };
    expect(() =>
      app.get('/things', { config: { rule: 'plan:get' }, schema: { ...schema, response } }, async () => ({ other: '' })),
    ).toThrow(expect.objectContaining({ code: 'api.schema_clash' }));
  });
});
