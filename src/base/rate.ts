import { throwIfAborted } from './abort.ts';
import type { Clock } from './clock.ts';

/** Resolves when so much may go; throws a `cancelled` fault as soon as the signal aborts. */
export type Rate = (amount: number, signal?: AbortSignal) => Promise<void>;

interface Waiting {
  readonly amount: number;
  /** Where it would end if all that wait were served side by side, in units served since the start. */
  readonly finish: number;
  go(): void;
}

/**
 * Lets `perSecond` units go in a second, and at most those of one idle second at once. All calls share it: whoever would be done
 * first, were all served side by side, goes first. So a small call does not wait for the large ones before it, and no stream of
 * small ones holds up a large one for more than its own size. A call goes when all it wants is there, never in parts.
 */
export function createRate(perSecond: number, clock: Clock): Rate {
  const waiting: Waiting[] = [];
  let served = 0;
  let available = perSecond;
  let filledAtMs = clock.monotonic();
  let timer: NodeJS.Timeout | undefined;

  const fill = (): void => {
    const nowMs = clock.monotonic();
    // What a large call needs may pile up while it waits; idle time saves up no more than a second.
    const most = Math.max(perSecond, ...waiting.map(({ amount }) => amount));
    available = Math.min(most, available + ((nowMs - filledAtMs) / 1000) * perSecond);
    filledAtMs = nowMs;
  };

  const serve = (): void => {
    clearTimeout(timer);
    fill();
    for (let next = firstOf(waiting); next !== undefined; next = firstOf(waiting)) {
      const missing = next.amount - available;
      if (missing > 0) {
        timer = setTimeout(serve, Math.ceil((missing / perSecond) * 1000));
        return;
      }
      available -= next.amount;
      served = next.finish;
      remove(waiting, next);
      next.go();
    }
  };

  return async (amount, signal) => {
    throwIfAborted(signal);
    fill();
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        remove(waiting, entry);
        serve();
        resolve();
      };
      const go = (): void => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const entry = { amount, finish: served + amount, go };
      signal?.addEventListener('abort', stop, { once: true });
      waiting.push(entry);
      serve();
    });
    throwIfAborted(signal);
  };
}

function firstOf(waiting: readonly Waiting[]): Waiting | undefined {
  return waiting.reduce<Waiting | undefined>(
    (best, entry) => (best === undefined || entry.finish < best.finish ? entry : best),
    undefined,
  );
}

function remove(waiting: Waiting[], entry: Waiting): void {
  const place = waiting.indexOf(entry);
  if (place >= 0) waiting.splice(place, 1);
}
