import { Fault, type FaultKind, type FaultOptions, type Retry } from '../base/faults.ts';
import type { StoreFault, StoreFaultCode } from './object-store.ts';

// One table, so that every store gives the same kind and the same chance of a retry to the same trouble.
const sorts: Readonly<Record<StoreFaultCode, readonly [FaultKind, Retry]>> = {
  'storage.missing': ['not-found', 'never'],
  'storage.exists': ['conflict', 'never'],
  'storage.short': ['corrupt', 'never'],
  'storage.too_large': ['corrupt', 'never'],
  'storage.bad_key': ['invalid', 'never'],
  'storage.unreachable': ['unavailable', 'later'],
  'storage.throttled': ['unavailable', 'later'],
  'storage.refused': ['unavailable', 'never'],
  'storage.no_bank': ['unavailable', 'never'],
  'storage.full': ['unavailable', 'never'],
  'storage.failed': ['unavailable', 'never'],
};

/** A fault as stores throw them; kind and retry come from the code, `options.retry` overrides where the store knows better. */
export function storeFault(code: StoreFaultCode, message: string, options: FaultOptions = {}): StoreFault {
  const [kind, retry] = sorts[code];
  return new Fault(kind, code, message, { retry, ...options }) as StoreFault;
}

export function missingFault(where: string, key: string, cause?: unknown): StoreFault {
  return storeFault('storage.missing', `There is no object ${key} in ${where}.`, { details: { key }, cause });
}

export function existsFault(where: string, key: string, cause?: unknown): StoreFault {
  return storeFault('storage.exists', `The object ${key} is already in ${where}.`, { details: { key }, cause });
}

export function shortFault(where: string, key: string, wantedBytes: number, gotBytes: number): StoreFault {
  return storeFault('storage.short', `The object ${key} in ${where} gave ${gotBytes} bytes where ${wantedBytes} were expected.`, {
    details: { key, wanted_bytes: wantedBytes, got_bytes: gotBytes },
    help: 'It was cut short after it was written. Run a check of the repository.',
  });
}

export function tooLargeFault(where: string, key: string, sizeBytes: number, maxBytes: number): StoreFault {
  return storeFault(
    'storage.too_large',
    `The object ${key} in ${where} has ${sizeBytes} bytes; at most ${maxBytes} make sense.`,
    {
      details: { key, size_bytes: sizeBytes, max_bytes: maxBytes },
      help: 'It was not written by Karri as it stands. Run a check of the repository.',
    },
  );
}
