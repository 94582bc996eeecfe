import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Client, createClient } from 'karri/client';
import { stringify } from 'yaml';
import { createKarriProcess, type KarriProcess } from '../test/kit/karri-process.ts';

const run = promisify(execFile);
const karri = fileURLToPath(new URL('../bin/karri.mjs', import.meta.url));

/** The same tenant on every cloud: it decides which checkpoints are visible. */
const projectId = '5b0a7c21e9d84f3f8a6be2c4d1907f36';

/** A cloud of the demo: a Karri service with its own database, and the folder its volumes lie in. */
export interface Cloud {
  readonly dir: string;
  readonly volumesDir: string;
  readonly karri: KarriProcess;
  readonly client: Client;
}

export interface Hook {
  readonly name: string;
  readonly command: readonly string[];
}

/** The one thing the clouds share: a filesystem bank, the file that describes the provider, its key. */
export async function createSharedProvider(dir: string): Promise<string> {
  const providersDir = join(dir, 'providers.d');
  const bankDir = join(dir, 'bank');
  mkdirSync(bankDir);
  mkdirSync(providersDir);
  await run(process.execPath, [karri, 'provider', 'init', 'north', '--dir', providersDir, '--path', bankDir]);
  return providersDir;
}

export async function createCloud(dir: string, providersDir: string, hooks: readonly Hook[]): Promise<Cloud> {
  const volumesDir = join(dir, 'volumes');
  mkdirSync(volumesDir, { recursive: true });
  const config = join(dir, 'karri.yaml');
  // What a plan may run is the operator's choice: a plan names a hook, and never a command.
  writeFileSync(config, stringify({ hooks: Object.fromEntries(hooks.map(({ name, command }) => [name, { command }])) }));
  const karri = await createKarriProcess({
    stateDir: join(dir, 'state'),
    settings: { KARRI_CONFIG: config, KARRI_PROVIDERS_DIR: providersDir, KARRI_VOLUMES_DIR: volumesDir },
  });
  return { dir, volumesDir, karri, client: createClient({ url: karri.url, projectId, token: `demo:${projectId}` }) };
}
