import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkPrefix, isKey } from '../../src/storage/keys.ts';

const part = fc
  .string({ unit: fc.constantFrom(...'aZ09._~=@-'), minLength: 1, maxLength: 12 })
  .filter((text) => text !== '.' && text !== '..');
const key = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

test('every beginning of a key is a prefix', () => {
  fc.assert(
    fc.property(key, fc.nat(), (text, cut) => {
      expect(isKey(text)).toBe(true);
      checkPrefix(text.slice(0, cut % (text.length + 1)));
    }),
  );
});

test('a key never leaves its folder as a path', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a./\\ \0%') }), (text) => {
      if (isKey(text)) expect(new URL(`file:///bank/${text}`).pathname).toBe(`/bank/${text}`);
    }),
  );
});
