/**
 * The one error class of the house. `kind` says what sort of trouble it is, `code` is stable and dotted, `retry` is
 * said by whoever made the fault (the loop obeys), `details` are flat and safe to show, `help` says what to do.
 * Only `api/faults.ts` turns a fault into an HTTP status.
 */
export type FaultKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'over-quota'
  | 'unavailable'
  | 'timeout'
  | 'cancelled'
  | 'corrupt'
  | 'unsupported'
  | 'internal';

export type Retry = 'never' | 'later' | 'now';

export type FaultDetails = Readonly<Record<string, string | number | boolean | null>>;

export interface FaultOptions {
  readonly retry?: Retry;
  /** Flat and safe: shown to callers and written to logs. Never a secret. */
  readonly details?: FaultDetails;
  readonly cause?: unknown;
  /** One sentence that says what the reader can do about it. */
  readonly help?: string;
}

const defaultRetry: Partial<Record<FaultKind, Retry>> = { unavailable: 'later', timeout: 'later' };

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly kind: FaultKind;
  readonly code: string;
  readonly retry: Retry;
  readonly details: FaultDetails;
  readonly help: string | undefined;

  constructor(kind: FaultKind, code: string, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.retry = options.retry ?? defaultRetry[kind] ?? 'never';
    this.details = options.details ?? {};
    this.help = options.help;
  }
}

export function isFault(error: unknown, code?: string): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}

/** Any thrown thing as a fault; a stranger's error becomes `internal` and keeps itself as the cause. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new Fault('cancelled', 'base.cancelled', 'The work was cancelled.', { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new Fault('internal', 'base.unexpected', message, { cause: error });
}

/** Message and help in one line, as people read it in a log or in `error_info`. */
export function faultText(error: unknown): string {
  const fault = toFault(error);
  return fault.help === undefined ? fault.message : `${fault.message} ${fault.help}`;
}
