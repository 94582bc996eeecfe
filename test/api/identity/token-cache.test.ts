import { describe, expect, test } from 'vitest';
import { createTokenCache, type TokenFacts } from '../../../src/api/identity/token-cache.ts';

const day = Date.UTC(2031, 2, 9);
const holder = { userId: 'u', projectId: 'p1', roles: ['member'] };

/** A cache over `answers`; its clocks are moved by hand. */
function setUp(options: { maxAgeMs?: number; capacity?: number } = {}) {
  const time = { wall: day, steady: 0 };
  const asked: string[] = [];
  const answers = new Map<string, TokenFacts | Error>();
  let gate: Promise<void> = Promise.resolve();
  const check = createTokenCache(
    async (token) => {
      asked.push(token);
      await gate;
      const answer = answers.get(token);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    { clock: { now: () => time.wall, monotonic: () => time.steady }, maxAgeMs: 60_000, ...options },
  );
  const pass = (ms: number): void => {
    time.wall += ms;
    time.steady += ms;
  };
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { time, asked, answers, check, pass, hold };
}

describe('a checked token', () => {
  test('is believed for a while and asked about again after it: a revoked one is out by then', async () => {
    const { asked, answers, check, pass } = setUp();
    answers.set('a', { holder, expiresAt: undefined });
    expect((await check('a'))?.holder).toEqual(holder);
    answers.delete('a');
    pass(59_999);
    expect((await check('a'))?.holder).toEqual(holder);
    expect(asked).toEqual(['a']);
    pass(1);
    expect(await check('a')).toBeUndefined();
    expect(asked).toEqual(['a', 'a']);
  });

  test('is believed never past its own end, also where the check says more', async () => {
    const { answers, check, pass } = setUp();
    answers.set('a', { holder, expiresAt: day + 1000 });
    expect(await check('a')).toBeDefined();
    pass(1000);
    expect(await check('a')).toBeUndefined();
    answers.set('old', { holder, expiresAt: day });
    expect(await check('old')).toBeUndefined();
  });

  test('does not live longer because the wall clock goes back', async () => {
    const { time, answers, check } = setUp();
    answers.set('a', { holder, expiresAt: day + 1000 });
    await check('a');
    answers.delete('a');
    time.wall -= 3_600_000;
    time.steady += 60_000;
    expect(await check('a')).toBeUndefined();
  });

  test('the delay counts from the question, not from the answer', async () => {
    const { asked, answers, check, pass, hold } = setUp();
    answers.set('a', { holder, expiresAt: undefined });
    const open = hold();
    const first = check('a');
    pass(50_000);
    open();
    await first;
    pass(10_000);
    await check('a');
    expect(asked).toHaveLength(2);
  });

  test('with no delay at all every request asks', async () => {
    const { asked, answers, check } = setUp({ maxAgeMs: 0 });
    answers.set('a', { holder, expiresAt: undefined });
    await check('a');
    await check('a');
    expect(asked).toHaveLength(2);
  });
});

test('fifty requests with one token ask once, with two tokens twice', async () => {
  const { asked, answers, check } = setUp();
  answers.set('a', { holder, expiresAt: undefined });
  const all = await Promise.all(Array.from({ length: 50 }, (_, index) => check(index % 2 === 0 ? 'a' : 'b')));
  expect(all.filter((facts) => facts !== undefined)).toHaveLength(25);
  expect(asked.sort()).toEqual(['a', 'b']);
});

test('a bad token is remembered for ten seconds at most', async () => {
  const { asked, answers, check, pass } = setUp();
  expect(await check('a')).toBeUndefined();
  answers.set('a', { holder, expiresAt: undefined });
  pass(9999);
  expect(await check('a')).toBeUndefined();
  pass(1);
  expect(await check('a')).toBeDefined();
  expect(asked).toHaveLength(2);
});

test('what could not be found out is not remembered', async () => {
  const { answers, check } = setUp();
  answers.set('a', new Error('away'));
  await expect(check('a')).rejects.toThrow('away');
  answers.set('a', { holder, expiresAt: undefined });
  expect(await check('a')).toBeDefined();
});

test('a flood of made-up tokens drives out no good one, and takes no more room than it is given', async () => {
  const { asked, answers, check } = setUp({ capacity: 10 });
  answers.set('good', { holder, expiresAt: undefined });
  await check('good');
  for (let n = 0; n < 100; n += 1) await check(`bad-${n}`);
  await check('good');
  await check('bad-99');
  await check('bad-0');
  expect(asked.filter((token) => token === 'good')).toHaveLength(1);
  expect(asked.filter((token) => token === 'bad-99')).toHaveLength(1);
  expect(asked.filter((token) => token === 'bad-0')).toHaveLength(2);
});

test('too many different tokens at one moment are turned away', async () => {
  const { check, hold } = setUp();
  const open = hold();
  const first = Array.from({ length: 256 }, (_, n) => check(`t${n}`));
  await expect(check('one more')).rejects.toMatchObject({ kind: 'unavailable', code: 'identity.busy' });
  open();
  await Promise.all(first);
  expect(await check('one more')).toBeUndefined();
});
