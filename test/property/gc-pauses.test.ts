import { describe, expect, test } from 'vitest';
import { GcProcess, GcWorld, type Step } from '../kit/gc-world.ts';
import { createSeeded } from '../kit/seeded.ts';

/** The share of all pauses that is tried; `KARRI_TEST_PAUSES=1` tries every one. */
const share = Number(process.env.KARRI_TEST_PAUSES ?? 0.06);
const chance = createSeeded('property/gc-pauses');

const collects = (count: number): Step[] => Array.from({ length: count }, () => ({ do: 'collect' }));
const protect: Step = { do: 'protect', subject: 0, slots: [0, 1] };
const undelete: Step = { do: 'undelete', which: 0 };

/** One snapshot of slots 0 and 2 that was forgotten some collections ago, one of slot 1 that stays. */
const before = (generations: number): Step[] => [
  { do: 'protect', subject: 0, slots: [0, 2] },
  { do: 'protect', subject: 1, slots: [1] },
  { do: 'forget', which: 0 },
  ...collects(generations),
];

/** Lets a step run up to its n-th call, others from start to end, then the rest of it. False when it has no n-th call. */
async function pauseAt(n: number, generations: number, paused: Step, meanwhile: readonly Step[]): Promise<boolean> {
  const world = new GcWorld();
  try {
    await runAll(world, 2, before(generations));
    let calls = 0;
    await world.turns.run(
      [() => runSteps(new GcProcess(world, 0), [paused]), () => runSteps(new GcProcess(world, 1), meanwhile)],
      (waiting) => {
        const isPaused = calls >= n - 1 && waiting.includes(1);
        if (isPaused || !waiting.includes(0)) return 1;
        calls++;
        return 0;
      },
      () => world.lookAfterDeletions(),
    );
    await world.look();
    // What was set in motion comes to its end.
    await runAll(world, 2, collects(3));
    await world.look();
    return calls >= n;
  } finally {
    await world.close();
  }
}

async function runSteps(process: GcProcess, steps: readonly Step[]): Promise<void> {
  for (const step of steps) await process.run(step);
  await process.close();
}

async function runAll(world: GcWorld, number: number, steps: readonly Step[]): Promise<void> {
  const idle = async (): Promise<void> => undefined;
  const processes = Array.from({ length: number }, () => idle);
  await world.turns.run([...processes, () => runSteps(new GcProcess(world, number), steps)], () => number, idle);
}

describe('one sleeps before any of its calls, the others go on meanwhile, and every promise is kept', () => {
  test.each<[string, Step, Step[][]]>([
    ['a writer while garbage is collected', protect, [1, 2, 3, 5].map(collects)],
    ['an undelete while garbage is collected', undelete, [1, 2, 3, 5].map(collects)],
    [
      'a garbage collection while others write, undelete and collect',
      { do: 'collect' },
      [[protect], [undelete], [...collects(2), protect], [...collects(2), undelete]],
    ],
  ])(
    '%s',
    async (_name, paused, others) => {
      let tried = 0;
      for (const meanwhile of others) {
        for (let generations = 0; generations < 5; generations++) {
          for (let n = 1, isThere = true; isThere; n++) {
            if (chance.fraction() >= share && n > 1) {
              isThere = n < 60;
              continue;
            }
            tried++;
            isThere = await pauseAt(n, generations, paused, meanwhile);
          }
        }
      }
      expect(tried).toBeGreaterThan(10);
    },
    3_600_000,
  );
});
