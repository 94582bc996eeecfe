import { Type } from 'typebox';

/** Where a long operation stands. Bytes count only once they are durable (protect) or written and compared (restore). */
export interface OperationProgress {
  readonly doneBytes: number;
  /** 0 while it is not known yet. */
  readonly totalBytes: number;
  /** Added to the bank so far. */
  readonly storedBytes: number;
  /** Logical bytes the bank had already. */
  readonly reusedBytes: number;
  /** Bytes a second over the last few seconds; 0 when nothing moves. */
  readonly bytesPerSecond: number;
  /** Seconds; null while it cannot be told. */
  readonly secondsLeft: number | null;
  /** What is going on: `Host::Block#… main (verify)`; empty when over. */
  readonly step: string;
  readonly stepsDone: number;
  readonly stepsTotal: number;
}

interface ProgressJson {
  done_bytes: number;
  total_bytes: number;
  stored_bytes: number;
  reused_bytes: number;
  bytes_per_second: number;
  seconds_left: number | null;
  step: string;
  steps_done: number;
  steps_total: number;
}

const amount = { type: 'number', minimum: 0 } as const;
const count = { type: 'integer', minimum: 0 } as const;

export const progressSchema = Type.Unsafe<ProgressJson | null>({
  $id: 'Progress',
  type: ['object', 'null'],
  description: 'Where the operation stands while it runs here; null otherwise. Bytes count once they are durable and compared.',
  properties: {
    done_bytes: amount,
    total_bytes: { ...amount, description: '0 while it is not known.' },
    stored_bytes: { ...amount, description: 'Added to the bank.' },
    reused_bytes: { ...amount, description: 'Bytes the bank had already.' },
    bytes_per_second: amount,
    seconds_left: { type: ['number', 'null'], minimum: 0 },
    step: { type: 'string' },
    steps_done: count,
    steps_total: count,
  },
  required: [
    'done_bytes',
    'total_bytes',
    'stored_bytes',
    'reused_bytes',
    'bytes_per_second',
    'seconds_left',
    'step',
    'steps_done',
    'steps_total',
  ],
});

export function toProgressJson(progress: OperationProgress | null): ProgressJson | null {
  if (progress === null) return null;
  return {
    done_bytes: progress.doneBytes,
    total_bytes: progress.totalBytes,
    stored_bytes: progress.storedBytes,
    reused_bytes: progress.reusedBytes,
    bytes_per_second: progress.bytesPerSecond,
    seconds_left: progress.secondsLeft,
    step: progress.step,
    steps_done: progress.stepsDone,
    steps_total: progress.stepsTotal,
  };
}
