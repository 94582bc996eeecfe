import { Fault } from '../base/faults.ts';

/** What PostgreSQL, its driver or the pool throws. */
interface DriverError extends Error {
  readonly code?: string;
  readonly constraint?: string;
}

const unreachable = /^(08|57P0)|^(ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|EPIPE|ETIMEDOUT)/;
const connectionLost = /connection (terminated|ended)|timeout expired|connection error|not queryable/i;

/** The one place where database errors become faults. The statement and its values stay out of the message: they may be secret. */
export function toDatabaseFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const cause = (error instanceof Error ? error : new Error(String(error))) as DriverError;
  const code = cause.code ?? '';
  const message = cause.message.slice(cause.message.lastIndexOf(' - ') + 1).replace(/^- /, '');

  if (cause.name === 'KnexTimeoutError') {
    return new Fault('unavailable', 'db.pool_exhausted', 'No database connection became free in time.', { cause });
  }
  if (unreachable.test(code) || connectionLost.test(cause.message)) {
    return new Fault('unavailable', 'db.unreachable', `The database does not answer: ${message}.`, {
      cause,
      help: 'See whether the PostgreSQL server of DATABASE_URL (or the embedded one, postgres/server.log) runs.',
    });
  }
  switch (code) {
    case '57014':
      return new Fault('timeout', 'db.slow_query', 'The database took too long to answer and was stopped.', {
        cause,
        help: 'Ask for less: a smaller page, a simpler filter.',
      });
    case '40001':
    case '40P01':
      return new Fault('unavailable', 'db.collision', 'Two transactions met; one of them was taken back.', {
        cause,
        retry: 'now',
      });
    case '53100':
      return new Fault('unavailable', 'db.disk_full', 'The disk of the database is full.', {
        cause,
        help: 'Free space on the database server.',
      });
    case '53300':
      return new Fault('unavailable', 'db.too_many_connections', 'The database server takes no more connections.', {
        cause,
        help: 'Raise its max_connections or run fewer Karri processes.',
      });
    case '28000':
    case '28P01':
    case '3D000':
    case '42501':
      return new Fault('unavailable', 'db.refused', `The database refuses: ${message}.`, {
        cause,
        retry: 'never',
        help: 'Check user, password, rights and database name in DATABASE_URL.',
      });
    case '23505':
    case '23503':
      return new Fault(
        'conflict',
        code === '23505' ? 'db.duplicate' : 'db.reference',
        `The database refuses the row: ${message}.`,
        {
          cause,
          details: { constraint: cause.constraint ?? '' },
        },
      );
    case '2201B':
      return new Fault('invalid', 'db.bad_pattern', `The filter is no valid regular expression: ${message}.`, { cause });
    case '22021':
    case '22P02':
    case '22P05':
      return new Fault('invalid', 'db.bad_value', `The database cannot hold the value: ${message}.`, { cause });
    default:
      return new Fault('internal', 'db.failed', `The database failed: ${message}.`, { cause, details: { sqlstate: code } });
  }
}
