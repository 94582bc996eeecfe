import { KarriUnreachable, readFault } from './fault.ts';

export interface RetryOptions {
  /** Default: 5 tries in all. */
  readonly tries?: number;
  /** Wait before the second try; doubled with every further one, up to 30 s. Default: 200. */
  readonly firstWaitMs?: number;
}

export interface Sending {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Wire {
  readonly fetch: typeof fetch;
  readonly retry: RetryOptions;
}

const longestWaitMs = 30_000;

/**
 * The good answer to a request. What may be sent twice is, when no answer came or one that says "not now"; anything is when the service
 * says by `Retry-After` that it has done nothing and when to come again.
 * @throws KarriFault, KarriUnreachable, and the signal's reason
 */
export async function send(sending: Sending, { fetch, retry: { tries = 5, firstWaitMs = 200 } }: Wire): Promise<Response> {
  const { url, method, headers, body, signal } = sending;
  const repeatable = method !== 'POST';
  for (let failed = 1; ; failed += 1) {
    const waitMs = Math.min(firstWaitMs * 2 ** (failed - 1), longestWaitMs);
    let response: Response;
    try {
      response = await fetch(url, { method, headers, ...(body !== undefined && { body }), ...(signal && { signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      if (!repeatable || failed >= tries) throw new KarriUnreachable(`${method} ${url}: no answer.`, { cause: error });
      await sleep(waitMs, signal);
      continue;
    }
    // 300 is how the service lists its versions.
    if (response.ok || response.status === 300) return response;
    const wanted = readRetryAfter(response);
    const passing = response.status === 429 || response.status === 503;
    if (!passing || failed >= tries || (wanted === undefined && !repeatable)) throw await readFault(response);
    await response.body?.cancel();
    await sleep(Math.min(Math.max(wanted ?? 0, waitMs), longestWaitMs), signal);
  }
}

/** Milliseconds; undefined: it says none. A date is none of Karri's. */
function readRetryAfter({ headers }: Response): number | undefined {
  const text = headers.get('retry-after');
  return text !== null && /^\d+$/.test(text) ? Number(text) * 1000 : undefined;
}

/** @throws the signal's reason as soon as it is aborted */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
