import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromPathText, toPathText } from '../../src/protection/path-text.ts';

describe('the text of a path', () => {
  test.each<[string, Buffer, string]>([
    ['UTF-8', Buffer.from('a/grüße 日本 😀'), 'a/grüße 日本 😀'],
    ['bytes of no character', Buffer.from([0x61, 0xff, 0xc3, 0x28]), 'a%FF%C3('],
    ['an overlong character', Buffer.from([0xc0, 0xaf]), '%C0%AF'],
    ['half of a pair', Buffer.from([0xed, 0xa0, 0x80]), '%ED%A0%80'],
    ['a cut character', Buffer.from([0xf0, 0x9f, 0x98]), '%F0%9F%98'],
    ['a percent sign', Buffer.from('100% of %'), '100% of %'],
    ['what looks escaped', Buffer.from('a%20b%fg'), 'a%2520b%fg'],
    ['the replacement character', Buffer.from('\ufffd'), '\ufffd'],
    ['control characters', Buffer.from('a\nb\t'), 'a\nb\t'],
  ])('of %s', (_name, bytes, text) => {
    expect(toPathText(bytes)).toBe(text);
    expect(fromPathText(text)).toEqual(bytes);
  });

  test('gives back any bytes, a URL in between or not, and is text', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .array(fc.constantFrom(0x25, 0x32, 0x46, 0xc3, 0xa4, 0xff, 0xf0, 0x9f, 0x2f), { maxLength: 20 })
        .map((list) => Uint8Array.from(list)),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(bytes, (path) => {
        const trimmed = Buffer.from(
          Buffer.from(path)
            .toString('latin1')
            .replace(/^\/+|\/+$/g, ''),
          'latin1',
        );
        const text = toPathText(trimmed);
        expect(text.isWellFormed()).toBe(true);
        expect(fromPathText(text)).toEqual(trimmed);
        expect(fromPathText(decodeURIComponent(encodeURIComponent(text)))).toEqual(trimmed);
      }),
    );
  });

  test('has no slashes at its ends', () => {
    expect(String(fromPathText('//a/b/'))).toBe('a/b');
    expect(fromPathText('/')).toHaveLength(0);
  });
});
