import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { readConfig } from '../../config/read.ts';
import type { Streams } from './command.ts';

/** Options of every command that reads the configuration. */
export const configOptions = { config: { type: 'string' }, 'state-dir': { type: 'string' } } as const;

export const configUsage = '[--config FILE] [--state-dir DIR]';

export function readConfigFor(
  streams: Streams,
  values: { readonly config?: string | undefined; readonly 'state-dir'?: string | undefined },
  overrides: Environment = {},
): Config {
  return readConfig({ KARRI_CONFIG: values.config, KARRI_STATE_DIR: values['state-dir'], ...overrides }, streams.environment);
}
