import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import type { Experiment } from './experiment.ts';
import type { FuzzOutcome } from './fuzz.ts';

const inputsPerRun = 4000;
/** Thousands of times what a run takes. */
const hungAfterMs = 60_000;

/** In a thread of its own, which can be ended when it hangs and may take only so much memory. */
function fuzz(seed: number): Promise<FuzzOutcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./fuzz.ts', import.meta.url), {
      workerData: { seed, inputs: inputsPerRun },
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    });
    const timer = setTimeout(() => {
      reject(new Error(`A parser did not come to an end within ${hungAfterMs} ms.`));
      void worker.terminate();
    }, hungAfterMs);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => clearTimeout(timer));
  });
}

export const parsers: Experiment = {
  id: 'R15',
  title: `every parser of what a bank holds gets ${inputsPerRun} inputs, garbage and spoilt wholes: no crash, no hang, no memory for what is only claimed`,
  runs: { ci: 1, full: 60 },
  run: (trials, seed) =>
    trials.try('inputs', async () => {
      const { crashes, tried, refusing } = await fuzz(seed);
      assert.deepEqual(crashes, []);
      assert.equal(tried, inputsPerRun);
      assert.deepEqual(refusing, []);
    }),
};
