/** The only file that reads time. Everything else is handed a `Clock`, so that tests can move it. */
export interface Clock {
  /** Wall time, milliseconds since the epoch, UTC. */
  now(): number;
  /** Milliseconds that only ever grow; for durations, never for dates. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** `2031-03-09T02:00:03.512Z` */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** `2031-03-09T02:00:03.512000`: Karbor's form, six digits and no zone. */
export function microsecondTime(epochMs: number): string {
  return `${isoTime(epochMs).slice(0, -1)}000`;
}

/** Waits, or throws the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
