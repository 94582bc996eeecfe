import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KiB, MiB } from '../../src/base/bytes.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createRate } from '../../src/base/rate.ts';
import { bankConformance } from '../../src/plugin/conformance/bank.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { createThrottle, createThrottledStore } from '../../src/storage/throttled.ts';
import { testLaws } from '../kit/laws.ts';
import { storeKeys } from '../kit/store-keys.ts';

describe('a throttled store', () => {
  testLaws(
    'keeps the laws of a bank',
    bankConformance(
      async () => {
        const limits = { uploadBytesPerSecond: 1024 * MiB, downloadBytesPerSecond: 1024 * MiB };
        return createThrottledStore(createMemoryStore(), createThrottle(limits, systemClock));
      },
      { objects: 30 },
    ),
  );
});

describe('with a clock that is moved by hand', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Notes when each call ends, in ms since the start. */
  function createTimer() {
    const startedAt = systemClock.monotonic();
    const ends: Record<string, number | 'failed'> = {};
    const time = (name: string, call: Promise<unknown>): void => {
      call.then(
        () => {
          ends[name] = systemClock.monotonic() - startedAt;
        },
        () => {
          ends[name] = 'failed';
        },
      );
    };
    return { ends, time };
  }

  test('bytes go no faster than the limit, after those of one idle second', async () => {
    const rate = createRate(100 * KiB, systemClock);
    const { ends, time } = createTimer();
    for (const name of ['a', 'b', 'c']) time(name, rate(100 * KiB));
    await vi.advanceTimersByTimeAsync(5000);
    expect(ends).toEqual({ a: 0, b: 1000, c: 2000 });
    await vi.advanceTimersByTimeAsync(3_600_000);
    for (const name of ['d', 'e']) time(name, rate(150 * KiB));
    await vi.advanceTimersByTimeAsync(5000);
    expect([ends.d, ends.e]).toEqual([3_605_500, 3_607_000]);
  });

  test('a small call does not wait for the large ones before it', async () => {
    const rate = createRate(MiB, systemClock);
    const { ends, time } = createTimer();
    time('first', rate(16 * MiB));
    time('second', rate(16 * MiB));
    await vi.advanceTimersByTimeAsync(3000);
    time('small', rate(MiB));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ends).toEqual({ small: 3000, first: 16_000, second: 32_000 });
  });

  test('an endless stream of small calls holds a large one up for its own size and no more', async () => {
    const rate = createRate(MiB, systemClock);
    const { ends, time } = createTimer();
    let small = 0;
    const stream = async (): Promise<void> => {
      for (; small < 1000; small++) await rate(MiB);
    };
    stream().catch(() => undefined);
    time('large', rate(8 * MiB));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(ends.large).toBeGreaterThan(8000);
    expect(ends.large).toBeLessThanOrEqual(17_000);
    expect(small).toBeGreaterThan(100);
  });

  test('an abort ends the waiting at once and takes nothing from those who still wait', async () => {
    const rate = createRate(MiB, systemClock);
    const { ends, time } = createTimer();
    const controller = new AbortController();
    time('before', rate(MiB));
    const aborted = rate(8 * MiB, controller.signal);
    time('aborted', aborted);
    time('after', rate(9 * MiB));
    await vi.advanceTimersByTimeAsync(2000);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ kind: 'cancelled' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ends).toEqual({ before: 0, aborted: 'failed', after: 9000 });
    await expect(rate(1, controller.signal)).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test('puts wait before they begin, and a cancelled one stores nothing', async () => {
    const bank = createMemoryStore();
    const throttle = createThrottle({ uploadBytesPerSecond: 1000, downloadBytesPerSecond: undefined }, systemClock);
    const store = createThrottledStore(bank, throttle);
    const { ends, time } = createTimer();
    const controller = new AbortController();
    time('a', store.put('a', Buffer.alloc(1000)));
    time('b', store.put('b', [Buffer.alloc(500), Buffer.alloc(500)]));
    time('c', store.put('c', Buffer.alloc(1000), { signal: controller.signal }));
    await vi.advanceTimersByTimeAsync(999);
    expect(await storeKeys(bank)).toEqual(['a']);
    controller.abort();
    await vi.advanceTimersByTimeAsync(5000);
    expect(ends).toEqual({ a: 0, b: 1000, c: 'failed' });
    expect(await storeKeys(bank)).toEqual(['a', 'b']);
    time('read', store.get('a'));
    await vi.advanceTimersByTimeAsync(0);
    expect(ends.read).toBe(5999);
  });

  test('gets share one limit over several stores, whole objects and ranges alike', async () => {
    const throttle = createThrottle({ uploadBytesPerSecond: undefined, downloadBytesPerSecond: 1000 }, systemClock);
    const [one, two] = [createMemoryStore(), createMemoryStore()];
    await one.put('a', Buffer.alloc(3000));
    await two.put('a', Buffer.alloc(3000));
    const { ends, time } = createTimer();
    time('whole', createThrottledStore(one, throttle).get('a'));
    time('range', createThrottledStore(two, throttle).get('a', { range: { offset: 5, length: 2000 } }));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ends).toEqual({ range: 1000, whole: 4000 });
  });
});
