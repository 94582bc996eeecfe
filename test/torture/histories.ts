import fc from 'fast-check';
import { GcProcess, GcWorld, type Step } from '../kit/gc-world.ts';
import { seedIds } from '../kit/seeded-ids.ts';
import type { Experiment } from './experiment.ts';

interface Death {
  readonly after: number;
  readonly takesEffect: boolean;
}

interface History {
  readonly chance: number;
  /** What is there before: snapshots, some of them forgotten, and how many collections have run since. */
  readonly before: readonly { readonly slots: readonly number[]; readonly isForgotten: boolean }[];
  readonly generations: number;
  readonly processes: readonly (readonly { readonly step: Step; readonly death: Death | null }[])[];
  /** Whose turn it is and for how many calls: whoever has none sleeps. */
  readonly turns: readonly { readonly process: number; readonly calls: number }[];
}

const slots = fc.array(fc.nat(3), { minLength: 1, maxLength: 3 });
const death = fc.option(fc.record({ after: fc.integer({ min: 1, max: 25 }), takesEffect: fc.boolean() }), { freq: 4 });
const which = fc.nat(5);
const steps = (step: fc.Arbitrary<Step>, maxLength: number): fc.Arbitrary<History['processes'][number]> =>
  fc.array(fc.record({ step, death }), { minLength: 1, maxLength });
const writer = steps(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('protect' as const), subject: fc.nat(1), slots }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('protect again' as const, 'forget' as const, 'undelete' as const), which }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  ),
  4,
);
const collector = steps(fc.constant({ do: 'collect' }), 6);
// Writers sleep often, collectors get far: that is what is dangerous.
const turn = fc.oneof(
  fc.record({ process: fc.nat(1), calls: fc.integer({ min: 1, max: 15 }) }),
  fc.record({ process: fc.integer({ min: 2, max: 3 }), calls: fc.integer({ min: 1, max: 120 }) }),
);
const history: fc.Arbitrary<History> = fc.record({
  chance: fc.nat(),
  before: fc.array(fc.record({ slots, isForgotten: fc.boolean() }), { maxLength: 3 }),
  generations: fc.nat(4),
  processes: fc.tuple(writer, writer, collector, collector),
  turns: fc.array(turn, { maxLength: 60 }),
});

async function play({ before, generations, processes, turns, chance: own }: History): Promise<void> {
  seedIds(own);
  const world = new GcWorld();
  try {
    await prepare(world, before, generations);
    await world.turns.run(
      processes.map((some, number) => async () => {
        const process = new GcProcess(world, number);
        for (const { step, death: dies } of some) {
          if (dies) process.dieAfter(dies.after, dies.takesEffect);
          await process.run(step);
          process.dieAfter(Number.POSITIVE_INFINITY, false);
        }
        await process.close();
      }),
      follow(turns),
      () => world.lookAfterDeletions(),
    );
    await world.settle();
  } finally {
    await world.close();
  }
}

async function prepare(world: GcWorld, before: History['before'], generations: number): Promise<void> {
  const [first, ...others]: Step[] = before.map(({ slots: some }, at) => ({ do: 'protect', subject: at % 2, slots: some }));
  const forgets = before.flatMap(({ isForgotten }, at): Step[] => (isForgotten ? [{ do: 'forget', which: at }] : [])).reverse();
  const collects = Array.from({ length: generations }, (): Step => ({ do: 'collect' }));
  const founder = new GcProcess(world, 0);
  await world.turns.run(
    [
      async () => {
        // The first open makes the repository: the race for that has a test of its own.
        for (const step of [...(first ? [first] : []), ...others, ...forgets, { do: 'collect' } as const, ...collects])
          await founder.run(step);
        await founder.close();
      },
    ],
    () => 0,
    async () => undefined,
  );
}

/** The turns as they stand, then everybody in turn. */
function follow(turns: History['turns']): (waiting: readonly number[]) => number {
  let at = 0;
  let used = 0;
  return (waiting) => {
    for (; at < turns.length; at++, used = 0) {
      const { process, calls } = turns[at] ?? { process: 0, calls: 0 };
      if (used >= calls || !waiting.includes(process)) continue;
      used++;
      return process;
    }
    used++;
    return waiting[used % waiting.length] ?? 0;
  };
}

export const histories: Experiment = {
  id: 'R9',
  title:
    'writers, collectors, deaths and sleeps in any order: what was promised can be read at every moment, and in the end the stored set is the reachable set',
  runs: { ci: 100, full: 1000 },
  run: (trials, seed) =>
    // A history that fails is made as short as it can be.
    trials.try('history', () => fc.assert(fc.asyncProperty(history, play), { numRuns: 1, seed })),
};
