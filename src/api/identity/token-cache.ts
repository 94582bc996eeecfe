import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/faults.ts';
import type { Identified } from '../../model/caller.ts';

/** What a good token says. */
export interface TokenFacts {
  readonly holder: Omit<Identified, 'token' | 'requestId'>;
  /** Wall time, milliseconds since the epoch; undefined: it does not expire. */
  readonly expiresAt: number | undefined;
}

/** Undefined: not good. Throws when it cannot be found out. */
export type CheckToken = (token: string) => Promise<TokenFacts | undefined>;

export interface TokenCacheOptions {
  readonly clock: Clock;
  /** How long an answer is believed: a revoked token works no longer than this. 0: every request asks. */
  readonly maxAgeMs: number;
  /** Tokens of each kind that are remembered, about 0.5 KiB each. */
  readonly capacity?: number;
}

interface Entry {
  readonly facts: TokenFacts | undefined;
  /** On the monotonic clock. */
  readonly until: number;
}

/** A bad token may turn good where Keystone's own servers learn of it one after the other. */
const maxRefusalAgeMs = 10_000;
const maxQuestions = 256;

/**
 * Asks about each token once in a while, however many requests bring it at the same time. Remembered are hashes, never
 * tokens; good and bad ones apart, so that a flood of made-up tokens drives out no good one.
 * @throws unavailable `identity.busy` when too many different tokens are being asked about
 */
export function createTokenCache(check: CheckToken, options: TokenCacheOptions): CheckToken {
  const { clock, maxAgeMs, capacity = 10_000 } = options;
  const good = new Map<string, Entry>();
  const bad = new Map<string, Entry>();
  const asked = new Map<string, Promise<TokenFacts | undefined>>();

  const isLive = (facts: TokenFacts | undefined): boolean => facts?.expiresAt === undefined || clock.now() < facts.expiresAt;

  const ask = async (token: string, hash: string): Promise<TokenFacts | undefined> => {
    // Counted from before the question: what happens while it is on its way belongs to the delay.
    const from = clock.monotonic();
    const facts = await check(token);
    const [kind, ageMs] = facts === undefined ? [bad, Math.min(maxAgeMs, maxRefusalAgeMs)] : [good, maxAgeMs];
    if (ageMs > 0) remember(kind, hash, { facts, until: from + ageMs }, capacity);
    return facts;
  };

  return async (token) => {
    const hash = createHash('sha256').update(token).digest('base64');
    const kept = good.get(hash) ?? bad.get(hash);
    if (kept !== undefined) {
      if (clock.monotonic() < kept.until) return isLive(kept.facts) ? kept.facts : undefined;
      good.delete(hash);
      bad.delete(hash);
    }
    let question = asked.get(hash);
    if (question === undefined) {
      if (asked.size >= maxQuestions) {
        throw new Fault('unavailable', 'identity.busy', 'Too many tokens are being checked at this moment.', { retry: 'now' });
      }
      question = ask(token, hash).finally(() => asked.delete(hash));
      asked.set(hash, question);
    }
    const facts = await question;
    return isLive(facts) ? facts : undefined;
  };
}

/** The oldest goes when there is no more room. */
function remember(entries: Map<string, Entry>, hash: string, entry: Entry, capacity: number): void {
  entries.delete(hash);
  const [oldest] = entries.keys();
  if (entries.size >= capacity && oldest !== undefined) entries.delete(oldest);
  entries.set(hash, entry);
}
