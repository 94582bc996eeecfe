import { existsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { builtInPlugins } from '../../../plugins/index.ts';
import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/faults.ts';
import { createKeyFile, readKeyFile } from '../../config/key-file.ts';
import { createRegistry } from '../../plugin/registry.ts';
import { keyPart } from '../../protection/bank-layout.ts';
import { openProviderRegistry } from '../../protection/provider-registry.ts';
import type { Repository } from '../../repository/contract.ts';
import { openKeyRing } from '../../repository/seal/keys.ts';
import type { SnapshotRecord } from '../../repository/snapshots/record.ts';
import { Snapshots } from '../../repository/snapshots/snapshots.ts';
import { createPrefixedStore } from '../../storage/prefixed.ts';
import { createLog } from '../log.ts';
import { type Streams, UsageError } from './command.ts';

/** What the plain commands share: a bank and a key, without service, database or provider file. */
export const bankOptions = {
  bank: { type: 'string' },
  'key-file': { type: 'string' },
  endpoint: { type: 'string' },
  region: { type: 'string' },
  'credentials-file': { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const bankUsage =
  '--bank DIR|s3://BUCKET[/PREFIX] --key-file FILE [--endpoint URL] [--region NAME] [--credentials-file FILE] [--json]';

export interface BankValues {
  readonly bank?: string | undefined;
  readonly 'key-file'?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly 'credentials-file'?: string | undefined;
}

/** Everything the plain commands write belongs to this project. */
const projectId = 'local';

export interface LocalRepository {
  /** Opened at the first call: it loads the index and starts the threads. */
  open(): Promise<Repository>;
  /** Reads the snapshot objects alone. */
  getSnapshot(id: string): Promise<SnapshotRecord>;
  /** Oldest first. */
  listSnapshots(): Promise<readonly SnapshotRecord[]>;
  /** Aborts at Ctrl-C or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

/**
 * Hands the repository of project `local` in the bank to `work` and closes everything behind it. `init`: the key and the repository
 * are made where they are missing.
 * @throws UsageError; the faults of bank, key and repository
 */
export async function withLocalRepository<Result>(
  values: BankValues,
  streams: Streams,
  { init }: { readonly init: boolean },
  work: (repository: LocalRepository) => Promise<Result>,
): Promise<Result> {
  if (values.bank === undefined) throw new UsageError('Say which bank: --bank DIR or --bank s3://BUCKET.');
  if (values['key-file'] === undefined) throw new UsageError('Say where the key is: --key-file FILE.');
  const bank = describeBank(values.bank, values, init);
  const keyFile = resolve(values['key-file']);
  const providerKey = init && !existsSync(keyFile) ? createKeyFile(keyFile) : readKeyFile(keyFile);
  const log = createLog({ level: 'warn', format: 'text', output: streams.err });
  const registry = createRegistry(builtInPlugins);
  const context = {
    log,
    resolvePath: (path: string) => resolve(path),
    readEnvironment: (name: string) => streams.environment[name],
    volumeRoots: [],
    namedVolumes: [],
    ownFolders: [],
  };
  const definition = { id: projectId, name: values.bank, description: '', bank, key: providerKey, protections: [], context };
  const interrupt = listenForInterrupt();
  const providers = await openProviderRegistry([definition], {
    registry,
    log,
    threads: availableParallelism(),
    scratchFolder: join(tmpdir(), 'karri-scratch'),
  });
  try {
    const provider = providers.get(projectId);
    const store = createPrefixedStore(provider.bank, `repositories/${keyPart(projectId)}/`);
    const readSnapshots = async (): Promise<Snapshots> => {
      const keys = await openKeyRing({ store, projectId, providerKey, create: false, log });
      return new Snapshots({ store, projectId, keys, log, clock: systemClock });
    };
    return await work({
      open: () => provider.repository(projectId, { create: init }),
      getSnapshot: async (id) => (await readSnapshots()).get(id, interrupt.signal),
      async listSnapshots() {
        const snapshots = await readSnapshots();
        const records = await Promise.all((await snapshots.list()).map((id) => snapshots.get(id, interrupt.signal)));
        return records.sort((a, b) => a.createdAtMs - b.createdAtMs);
      },
      signal: interrupt.signal,
    });
  } finally {
    await providers.close();
    interrupt.stop();
  }
}

/** The bank as a plugin's name and configuration. */
function describeBank(bank: string, values: BankValues, init: boolean): { plugin: string; config: Record<string, unknown> } {
  const { endpoint, region, 'credentials-file': credentialsFile } = values;
  if (!bank.startsWith('s3://')) {
    if (endpoint ?? region ?? credentialsFile)
      throw new UsageError('--endpoint, --region and --credentials-file belong to a bank s3://BUCKET.');
    return { plugin: 'filesystem', config: { path: resolve(bank) } };
  }
  const [, bucket, prefix] = /^s3:\/\/([^/]+)(?:\/(.*?))?\/?$/.exec(bank) ?? [];
  if (bucket === undefined) throw new UsageError(`--bank is "${bank}"; it must be a folder or s3://BUCKET[/PREFIX].`);
  const keys =
    credentialsFile === undefined
      ? { access_key_env: 'AWS_ACCESS_KEY_ID', secret_key_env: 'AWS_SECRET_ACCESS_KEY' }
      : { credentials_file: resolve(credentialsFile) };
  const config = { bucket, prefix: prefix || undefined, endpoint, region, ...keys, create_bucket: init || undefined };
  return { plugin: 's3', config: Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) };
}

function listenForInterrupt(): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    stop();
    controller.abort(
      new Fault('cancelled', 'base.cancelled', 'Interrupted. What is in the bank already is found by the next backup.'),
    );
  };
  const stop = (): void => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return { signal: controller.signal, stop };
}
