import { isoTime, systemClock } from '../base/clock.ts';
import { toFault } from '../base/faults.ts';
import type { Log, LogFields } from '../base/log.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;

/** `13:28:14 warn  the message  name=value`; a line is written before the call returns. For people; programs get JSON (`log.ts`). */
export function createTextLog(
  level: (typeof levels)[number],
  output: { write(line: string): unknown },
  own: LogFields = {},
): Log {
  const writer = (as: (typeof levels)[number]): Log['info'] => {
    if (levels.indexOf(as) < levels.indexOf(level)) return () => undefined;
    return (message, fields) => output.write(formatLine(as, message, { ...own, ...safe(fields) }));
  };
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    child: (fields) => createTextLog(level, output, { ...own, ...safe(fields) }),
  };
}

function formatLine(level: string, message: string, fields: LogFields): string {
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name}=${typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)}`)
    .join('');
  return `${isoTime(systemClock.now()).slice(11, 19)} ${level.padEnd(5)} ${message}${shown}\n`;
}

const secretName =
  /pass(word|phrase)|secret|token|authorization|cookie|credential|restore_?auth|(api|access|private|provider|root)_?key|^key$/i;
const urlPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi;
const maxDepth = 6;

/** Fields as they may be written: secrets masked by name, passwords in URLs cut out, faults flattened. */
export function safe(fields: LogFields = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, mask(name, value, 0)]));
}

function mask(name: string, value: unknown, depth: number): unknown {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number') return value;
  if (secretName.test(name)) return '***';
  if (typeof value === 'string') return value.replace(urlPassword, '$1***@');
  if (typeof value === 'bigint') return value.toString();
  if (depth === maxDepth) return '…';
  if (value instanceof Error) return describeError(value, depth);
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.map((item) => mask('', item, depth + 1));
  if (value instanceof Map) return mask(name, Object.fromEntries(value), depth);
  if (typeof value !== 'object') return undefined;
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, mask(member, inner, depth + 1)]));
}

/** Every cause down to the first; the stack of the innermost, where the trouble began. */
function describeError(error: Error, depth: number): unknown {
  const { code, kind, details, help, message, cause } = toFault(error);
  const inner = cause === error ? undefined : cause;
  return {
    message: mask('', message, depth),
    ...(kind === 'internal' && code === 'base.unexpected' ? { type: error.name } : { code, kind }),
    ...(Object.keys(details).length === 0 ? {} : { details: mask('', details, depth + 1) }),
    ...(help === undefined ? {} : { help }),
    ...(inner instanceof Error ? { cause: mask('', inner, depth + 1) } : { stack: mask('', error.stack, depth) }),
  };
}
