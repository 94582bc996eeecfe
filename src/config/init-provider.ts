import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { Fault } from '../base/faults.ts';
import { newId } from '../base/ids.ts';
import type { Config } from './config.ts';
import { listProviderFiles } from './providers.ts';

export interface NewProvider {
  readonly folder: string;
  /** Also the name of the files: `NAME.yaml`, `NAME.key`. */
  readonly name: string;
  readonly description?: string;
  readonly bank: { readonly plugin: string; readonly config: Readonly<Record<string, unknown>> };
}

const defaultName = 'default';

/**
 * Writes a provider file with a fresh id and a key beside it, and returns the file's path.
 * @throws invalid `config.bad_name`; conflict `config.provider_exists`: nothing is ever overwritten, least of all a key
 */
export function initProvider({ folder, name, description, bank }: NewProvider): string {
  if (!/^[\w.-]{1,100}$/.test(name) || name.startsWith('.')) {
    throw new Fault('invalid', 'config.bad_name', `A provider cannot be named ${JSON.stringify(name)}.`, {
      help: 'Letters, digits, dots, hyphens and underscores: it is the name of its files too.',
    });
  }
  const file = resolve(folder, `${name}.yaml`);
  const keyFile = resolve(folder, `${name}.key`);
  const taken = [file, keyFile].find((path) => existsSync(path));
  if (taken !== undefined) {
    throw new Fault('conflict', 'config.provider_exists', `${taken} is there already and is not overwritten.`, {
      details: { file: taken },
      help: 'Choose another --name. Without its key the data in a bank is lost: move old files aside, do not delete them.',
    });
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const content = stringify({
    id: newId(),
    name,
    description: description ?? '',
    bank,
    key: { file: `${name}.key` },
    protections: [{ plugin: 'host-directory' }, { plugin: 'host-block' }],
  });
  // The key first and on the disk: a provider file without its key must never be found.
  writeFileSync(keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  writeFileSync(file, `# The id and the key must be the same on every cloud that shares the bank.\n${content}`, {
    flag: 'wx',
    flush: true,
  });
  return file;
}

/** On a first start: a provider on a filesystem bank under the state folder. Undefined when there are provider files. */
export function initDefaultProvider(config: Pick<Config, 'stateDir' | 'providersDir'>): string | undefined {
  if (listProviderFiles(config.providersDir).length > 0) return undefined;
  // Relative, so that the state folder may be moved, unless the provider files lie outside of it.
  const bank = join(config.stateDir, 'bank');
  const isInside = !relative(config.stateDir, config.providersDir).startsWith('..');
  return initProvider({
    folder: config.providersDir,
    name: defaultName,
    description: 'A folder of this machine; made at the first start',
    bank: { plugin: 'filesystem', config: { path: isInside ? relative(config.providersDir, bank) : bank } },
  });
}
