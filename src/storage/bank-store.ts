import type { Log } from '../base/log.ts';
import { createLimitedStore } from './limited.ts';
import type { ObjectStore } from './object-store.ts';
import { createRetryingStore } from './retrying.ts';
import { createThrottledStore, type Throttle } from './throttled.ts';

const callsAtOnce = 16;

/** A bank as everybody uses it: so many calls at once, within the throttle, each tried again while that can help. */
export function createBankStore(
  raw: ObjectStore,
  { log, throttle }: { readonly log: Log; readonly throttle?: Throttle | undefined },
): ObjectStore {
  const limited = createLimitedStore(raw, callsAtOnce);
  // Within the retries, as a second try sends its bytes again; around the limit, so that who waits holds no place.
  return createRetryingStore(throttle ? createThrottledStore(limited, throttle) : limited, { log });
}
