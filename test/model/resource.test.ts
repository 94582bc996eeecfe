import { describe, expect, test } from 'vitest';
import { fromPlanResourceJson, stringifyParameters, toPlanResourceJson } from '../../src/model/resource.ts';

describe('parameters', () => {
  test('come back as Python would write them', () => {
    expect(stringifyParameters({ 'Host::Block': { yes: true, no: false, n: 3, zero: 0, text: 'x', empty: '' } })).toEqual({
      'Host::Block': { yes: 'True', no: 'False', n: '3', zero: '0', text: 'x', empty: '' },
    });
  });
});

describe('a resource of a plan', () => {
  const bare = { id: 'a', type: 'T', name: 'n' };

  test.each([
    [bare, bare],
    [{ ...bare, extra_info: null }, bare],
    [
      { ...bare, extra_info: { a: [1] } },
      { ...bare, extra_info: { a: [1] } },
    ],
  ])('%j comes back as %j', (given, shown) => {
    expect(toPlanResourceJson(fromPlanResourceJson(given))).toEqual(shown);
  });
});
