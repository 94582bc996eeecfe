import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseLiteral } from '../../src/api/literal.ts';

describe('Python literals', () => {
  test.each([
    ['5', 5],
    ['-2', -2],
    ['1.5', 1.5],
    ['True', true],
    ['False', false],
    ['None', null],
    ["'5'", '5'],
    ['"a b"', 'a b'],
    ["'it\\'s'", "it's"],
    ['[]', []],
    ["['a', 1, True]", ['a', 1, true]],
    ['(1, 2,)', [1, 2]],
    ["{'k': 'v', 'n': {'x': [1]}}", { k: 'v', n: { x: [1] } }],
    ['{"k":"a:b,{}"}', { k: 'a:b,{}' }],
    ['{}', {}],
  ])('%s is read', (source, value) => {
    expect(parseLiteral(source)).toEqual(value);
  });

  test.each([
    '',
    'web-1',
    'two words',
    '007',
    '5.0',
    '11111111111111111111111111111111',
    "{'k'}",
    "{'k': 'v'",
    '[1 2]',
    "'open",
    'a"b',
    '[1]]',
    ':',
    '{[1]: 2}',
    '['.repeat(1000),
  ])('%s is plain text', (source) => {
    expect(parseLiteral(source)).toBeUndefined();
  });

  test('a dictionary cannot reach a prototype', () => {
    const value = parseLiteral("{'__proto__': {'admin': True}}");
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(Object(value))).toEqual(['__proto__']);
  });

  test('no text makes it fail, and JSON of texts and whole numbers is read back', () => {
    fc.assert(fc.property(fc.string(), (source) => void parseLiteral(source)));
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.integer(),
        fc.stringMatching(/^[a-z ,:{}]*$/),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    })).node;
    fc.assert(fc.property(tree, (value) => isDeepStrictEqual(parseLiteral(JSON.stringify(value)), value)));
  });
});
