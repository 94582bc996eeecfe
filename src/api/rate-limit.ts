import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/faults.ts';

export interface RateLimit {
  /** Counts one request of that name. @throws over-quota `api.too_many_requests` when it is one too many */
  take(name: string): void;
  /** Throws as `take` would, and counts nothing. */
  check(name: string): void;
}

export interface RateLimitOptions {
  /** Above 0. */
  readonly perSecond: number;
  readonly clock: Clock;
  /** Names that are remembered; who is forgotten begins anew. */
  readonly capacity?: number;
}

/** What a name may use at once after a rest. */
const burstSeconds = 5;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** A bucket for each name: it fills evenly, holds what five seconds give, and every request takes one out. */
export function createRateLimit({ perSecond, clock, capacity = 50_000 }: RateLimitOptions): RateLimit {
  const full = Math.max(1, perSecond * burstSeconds);
  const buckets = new Map<string, Bucket>();

  const fill = (name: string): Bucket => {
    const now = clock.monotonic();
    const old = buckets.get(name) ?? { tokens: full, filledAt: now };
    const bucket = { tokens: Math.min(full, old.tokens + ((now - old.filledAt) / 1000) * perSecond), filledAt: now };
    if (bucket.tokens < 1) throw tooMany((1 - bucket.tokens) / perSecond);
    return bucket;
  };

  return {
    check: (name) => void fill(name),
    take(name) {
      const bucket = fill(name);
      // Behind all others: the first of the map is the one that was quiet for longest.
      buckets.delete(name);
      const [quietest] = buckets.keys();
      if (buckets.size >= capacity && quietest !== undefined) buckets.delete(quietest);
      buckets.set(name, { ...bucket, tokens: bucket.tokens - 1 });
    },
  };
}

function tooMany(seconds: number): Fault {
  const wait = Math.ceil(seconds);
  return new Fault('over-quota', 'api.too_many_requests', 'There are too many requests of this caller.', {
    retry: 'later',
    details: { seconds: wait },
    help: `Try again in ${wait} s.`,
  });
}
