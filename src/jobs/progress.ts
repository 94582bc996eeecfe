import type { Clock } from '../base/clock.ts';
import type { OperationProgress } from '../model/progress.ts';
import type { StepProgress } from './flow.ts';

/** Rates are taken over this much of the past. */
const windowMs = 5000;

/** Adds up the reports of an operation's steps. */
export interface ProgressMeter {
  report(step: number, name: string, progress: StepProgress): void;
  stepBegan(name: string): void;
  stepEnded(name: string): void;
  read(): OperationProgress;
}

export function createProgressMeter(clock: Clock, stepsTotal: number, stepsDone: number): ProgressMeter {
  const reports = new Map<number, StepProgress>();
  const running = new Map<string, string>();
  const samples: { at: number; bytes: number }[] = [];
  let done = stepsDone;

  const sum = (pick: (progress: StepProgress) => number): number => {
    let total = 0;
    for (const progress of reports.values()) total += pick(progress);
    return total;
  };

  return {
    report(step, name, progress) {
      reports.set(step, progress);
      // A late word of a step that is over would make it seem to run for ever.
      if (running.has(name)) running.set(name, progress.phase);
    },
    stepBegan: (name) => void running.set(name, ''),
    stepEnded(name) {
      running.delete(name);
      done++;
    },
    read() {
      const at = clock.monotonic();
      const doneBytes = sum((p) => p.doneBytes);
      const totalBytes = sum((p) => p.totalBytes);
      samples.push({ at, bytes: doneBytes });
      while (samples.length > 2 && at - (samples[0]?.at ?? at) > windowMs) samples.shift();
      const first = samples[0];
      // A step that starts over reports fewer bytes than before: no rate then, rather than a negative one.
      const moved = first && at > first.at ? Math.max(0, doneBytes - first.bytes) / ((at - first.at) / 1000) : 0;
      return {
        doneBytes,
        totalBytes,
        storedBytes: sum((p) => p.storedBytes),
        reusedBytes: sum((p) => p.reusedBytes),
        bytesPerSecond: Math.round(moved),
        secondsLeft: moved > 0 && totalBytes > doneBytes ? Math.ceil((totalBytes - doneBytes) / moved) : null,
        step: [...running].map(([name, phase]) => (phase ? `${name} (${phase})` : name)).join(', '),
        stepsDone: done,
        stepsTotal,
      };
    },
  };
}
