import { pino } from 'pino';
import type { Log } from '../base/log.ts';
import { createTextLog, safe } from './text-log.ts';

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
  if (options.format === 'text' || (options.format === 'auto' && output.isTTY === true))
    return createTextLog(options.level, output);
  const logger = pino(
    {
      level: options.level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.output ?? pino.destination({ dest: 1, sync: true }),
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
