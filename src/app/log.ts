import { pino } from 'pino';
import { toFault } from '../base/faults.ts';
import type { Log, LogFields } from '../base/log.ts';

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** `auto`: text on a terminal, JSON lines elsewhere. */
  readonly format: 'auto' | 'json' | 'text';
  /** Where the lines go. Default standard output. */
  readonly output?: { write(line: string): unknown; readonly isTTY?: boolean };
}

/** Lines are written before the call returns, so that the last ones before a crash are there. */
export function createLog(options: LogOptions): Log {
  const output = options.output ?? process.stdout;
  const isText = options.format === 'text' || (options.format === 'auto' && output.isTTY === true);
  const destination = isText
    ? { write: (line: string) => output.write(toText(line)) }
    : (options.output ?? pino.destination({ dest: 1, sync: true }));
  const logger = pino(
    {
      level: options.level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return wrap(logger);
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (message, fields) => logger.debug(safe(fields), message),
    info: (message, fields) => logger.info(safe(fields), message),
    warn: (message, fields) => logger.warn(safe(fields), message),
    error: (message, fields) => logger.error(safe(fields), message),
    child: (fields) => wrap(logger.child(safe(fields))),
  };
}

const secretName =
  /pass(word|phrase)|secret|token|authorization|cookie|credential|restore_?auth|(api|access|private|provider|root)_?key|^key$/i;
const urlPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi;
const maxDepth = 6;

/** Fields as they may be written: secrets masked by name, passwords in URLs cut out, faults flattened. */
function safe(fields: LogFields = {}): Record<string, unknown> {
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

const ownMembers = new Set(['level', 'time', 'pid', 'message']);

/** `13:28:14 warn  the message  name=value` */
function toText(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(record)
    .filter(([name]) => !ownMembers.has(name))
    .map(([name, value]) => `  ${name}=${typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)}`)
    .join('');
  const level = String(record['level']).padEnd(5);
  return `${String(record['time']).slice(11, 19)} ${level} ${String(record['message'])}${fields}\n`;
}
