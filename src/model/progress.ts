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
