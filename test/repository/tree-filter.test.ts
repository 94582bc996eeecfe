import { describe, expect, test } from 'vitest';
import { createTreeFilter } from '../../src/repository/tree/filter.ts';
import { bytePath } from '../../src/repository/tree/path.ts';

const excludes = (patterns: string[], path: string, isFolder = false): boolean =>
  createTreeFilter(undefined, patterns).excludes(bytePath(path), isFolder);
const includes = (patterns: string[], path: string, isFolder = false): boolean =>
  createTreeFilter(patterns, undefined).includes(bytePath(path), isFolder);

describe('exclude patterns', () => {
  test.each([
    ['*.tmp', 'a.tmp', true],
    ['*.tmp', 'deep/er/a.tmp', true],
    ['*.tmp', 'a.tmp.txt', false],
    ['/a', 'a', true],
    ['/a', 'b/a', false],
    ['a/b', 'a/b', true],
    ['a/b', 'c/a/b', false],
    ['**/a/b', 'c/a/b', true],
    ['**/a/b', 'a/b', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'a', false],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['a*z', 'a/z', false],
    ['a?z', 'abz', true],
    ['a?z', 'a/z', false],
    ['a?z', 'aüz', true],
    ['a?z', 'a€z', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a.c', 'abc', false],
    ['a+(b)[c]', 'a+(b)[c]', true],
    ['Ä*', 'Ärger', true],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(excludes([pattern], path)).toBe(expected);
  });

  test('a trailing slash means folders only', () => {
    expect(excludes(['cache/'], 'x/cache', true)).toBe(true);
    expect(excludes(['cache/'], 'x/cache', false)).toBe(false);
  });

  test('the last match decides', () => {
    expect(excludes(['*.log', '!keep.log'], 'a/keep.log')).toBe(false);
    expect(excludes(['*.log', '!keep.log', 'a/keep.log'], 'a/keep.log')).toBe(true);
  });
});

describe('include patterns', () => {
  test('no pattern includes everything', () => {
    expect(includes([], 'anything')).toBe(true);
  });

  test('what lies in an included folder is included, unless taken back', () => {
    expect(includes(['/data'], 'data/a/b')).toBe(true);
    expect(includes(['/data'], 'other/data')).toBe(false);
    expect(includes(['/data', '!*.tmp'], 'data/a/b.tmp')).toBe(false);
    expect(includes(['*.txt'], 'folder', true)).toBe(false);
  });
});

test.each(['', '/', '!', 'a//b', '../a', 'a/./b', 'a\0b'])('refuses %j', (pattern) => {
  expect(() => createTreeFilter(undefined, [pattern])).toThrow(
    expect.objectContaining({ code: 'repository.bad_pattern', kind: 'invalid' }),
  );
});
