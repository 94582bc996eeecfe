import { Fault } from './faults.ts';

/** Throws a `cancelled` fault when the signal has fired; call it between units of work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  if (signal.reason instanceof Fault) throw signal.reason;
  throw new Fault('cancelled', 'base.cancelled', 'The work was cancelled.', { cause: signal.reason });
}
