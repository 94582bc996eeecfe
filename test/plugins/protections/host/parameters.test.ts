import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFlag, readPatterns, readText } from '../../../../plugins/protections/host/parameters.ts';

const patterns = (text: string) => readPatterns({ exclude: text }, 'exclude');

describe('patterns', () => {
  test('come from a JSON list as they are', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (list) => {
        expect(patterns(JSON.stringify(list))).toEqual(list);
      }),
    );
  });

  test.each([
    ['*.log', ['*.log']],
    [' tmp/ , *.log,, ', ['tmp/', '*.log']],
    ['[ab]*.txt', ['[ab]*.txt']],
    ['[!a]x,[0-9]', ['[!a]x', '[0-9]']],
    [' ["a b"] ', ['a b']],
    ['', undefined],
    ['None', undefined],
    ['[]', undefined],
    [' , ', undefined],
  ])('%j is %j', (text, wanted) => {
    expect(patterns(text)).toEqual(wanted);
  });

  test.each(['["a"', "['a']", '["a", 1]', '[["a"]]'])('%s is refused', (text) => {
    expect(() => patterns(text)).toThrow(/exclude is .*must be a JSON list/);
  });
});

test('flags are texts, and "False" is not true', () => {
  const flag = (text: string) => readFlag({ overwrite: text }, 'overwrite');
  expect([flag('True'), flag('true'), flag('False'), flag(''), flag('None'), readFlag({}, 'overwrite')]).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(() => flag('1')).toThrow('True or False');
  expect(readText({ name: 'None' }, 'name')).toBeUndefined();
});
