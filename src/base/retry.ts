import { sleep } from './clock.ts';
import { toFault } from './faults.ts';

export interface RetryOptions {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  readonly signal?: AbortSignal;
  /** Called before each wait. */
  readonly onRetry?: (attempt: number, delayMs: number, error: unknown) => void;
}

/** Runs the task until it succeeds, its fault says `never`, or the attempts are used up. Full jitter between tries. */
export async function retry<T>(task: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task(attempt);
    } catch (error) {
      const fault = toFault(error);
      if (fault.retry === 'never' || attempt >= options.attempts || options.signal?.aborted) throw error;
      const ceiling = Math.min(options.maxDelayMs, options.firstDelayMs * 2 ** (attempt - 1));
      const delayMs = fault.retry === 'now' ? 0 : Math.random() * ceiling;
      options.onRetry?.(attempt, delayMs, error);
      await sleep(delayMs, options.signal);
    }
  }
}
