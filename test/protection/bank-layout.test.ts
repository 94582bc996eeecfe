import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkpointStatuses } from '../../src/model/checkpoint.ts';
import { checkpointKey, keyPart, laterOf, parseCheckpointKey } from '../../src/protection/bank-layout.ts';

const provider = '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11';
const entry = {
  projectId: 'demo',
  planId: 'c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25',
  checkpointId: 'e6a1f0b3-2c47-4be8-b1a7-5c90d23f7d41',
  createdAt: 1_930_788_003_512,
  generation: 1,
  status: 'available' as const,
};

describe('checkpoint keys', () => {
  test('carry everything a list needs, for any project id and status', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'grapheme' }),
        fc.constantFrom(...checkpointStatuses),
        fc.nat(9999),
        (projectId, status, generation) => {
          const wanted = { ...entry, projectId, status, generation };
          const key = checkpointKey(provider, wanted, 'deadbeef');
          expect(key).toMatch(/^[A-Za-z0-9._~=@/-]+$/);
          expect(parseCheckpointKey(key)).toEqual({ ...wanted, key });
        },
      ),
    );
  });

  test('a project id never becomes a path', () => {
    for (const id of ['.', '..', 'a/b', '../x']) expect(keyPart(id).split('/')).toHaveLength(1);
    expect(keyPart('..')).not.toBe('..');
  });

  test('other keys are none of ours', () => {
    expect(parseCheckpointKey(`checkpoints/${provider}/demo/notes.txt`)).toBeUndefined();
    expect(parseCheckpointKey(checkpointKey(provider, entry, 'deadbeef').replace('available', 'unheard'))).toBeUndefined();
  });

  test('the higher generation counts, then the same word for every reader', () => {
    const parse = (generation: number, status: (typeof checkpointStatuses)[number], writer: string) => {
      const key = parseCheckpointKey(checkpointKey(provider, { ...entry, generation, status }, writer));
      if (!key) throw new Error('not parsed');
      return key;
    };
    const later = [
      parse(0, 'protecting', 'ff'),
      parse(1, 'error', 'ff'),
      parse(1, 'available', '00'),
      parse(1, 'available', '11'),
      parse(2, 'deleting', '00'),
    ];
    for (const [i, a] of later.entries()) {
      for (const b of later.slice(i)) {
        expect(laterOf(a, b)).toBe(b);
        expect(laterOf(b, a).key).toBe(b.key);
      }
    }
  });
});
