import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { Environment } from '../../config/environment.ts';

/** Where a command writes to; standard output and error but in tests. */
export interface Streams {
  readonly out: { write(text: string): unknown };
  /** On a terminal a line that shows how far it is may be drawn over and over. */
  readonly err: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly environment: Environment;
}

export interface Command {
  /** One line: what follows `karri`. */
  readonly usage: string;
  readonly summary: string;
  /** Returns the exit code. @throws UsageError; faults, which are printed with their help */
  run(args: readonly string[], streams: Streams): Promise<number>;
}

/** The command line is wrong: usage on standard error, exit code 2. */
export class UsageError extends Error {}

export function parse<Options extends ParseArgsOptionsConfig>(args: readonly string[], options: Options, maxPositionals = 0) {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: maxPositionals > 0, strict: true });
    if (parsed.positionals.length > maxPositionals)
      throw new UsageError(`Unexpected argument "${parsed.positionals[maxPositionals]}".`);
    return parsed;
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}
