import { existsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault } from '../../base/faults.ts';
import type { Log } from '../../base/log.ts';
import type { Environment } from '../../config/environment.ts';
import { createKeyFile, readKeyFile } from '../../config/key-file.ts';
import type { Repository } from '../../repository/contract.ts';
import type { SnapshotRecord } from '../../repository/snapshots/record.ts';
import { createBankStore } from '../../storage/bank-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { createPrefixedStore } from '../../storage/prefixed.ts';
import type { Throttle } from '../../storage/throttled.ts';
import { createTextLog } from '../text-log.ts';
import { type Streams, UsageError } from './command.ts';

/** What the plain commands share: a bank and a key, without service, database or provider file. */
export const bankOptions = {
  bank: { type: 'string' },
  'key-file': { type: 'string' },
  endpoint: { type: 'string' },
  region: { type: 'string' },
  'credentials-file': { type: 'string' },
  project: { type: 'string' },
  'limit-up': { type: 'string' },
  'limit-down': { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const bankUsage =
  '--bank DIR|s3://BUCKET[/PREFIX] --key-file FILE [--endpoint URL] [--region NAME] [--credentials-file FILE] [--project ID] [--limit-up RATE] [--limit-down RATE] [--json]';

export interface BankValues {
  readonly bank?: string | undefined;
  readonly 'key-file'?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly 'credentials-file'?: string | undefined;
  /** Whose repository in the bank; `local` when not given. */
  readonly project?: string | undefined;
  /** Bytes a second, such as `20MiB`; when not given, the settings of the service count. */
  readonly 'limit-up'?: string | undefined;
  readonly 'limit-down'?: string | undefined;
}

/** What the plain commands write belongs to this project. */
const localProject = 'local';

export interface LocalRepository {
  readonly repository: Repository;
  getSnapshot(id: string): Promise<SnapshotRecord>;
  /** Aborts at Ctrl-C or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

/**
 * Hands the repository of the project in the bank to `work` and closes everything behind it. `init`: the key and the repository
 * are made where they are missing. Loads no more than this takes: neither the plugins' schemas nor what checks them.
 * @throws UsageError; the faults of bank, key and repository
 */
export async function withLocalRepository<Result>(
  values: BankValues,
  streams: Streams,
  { init }: { readonly init: boolean },
  work: (local: LocalRepository) => Promise<Result>,
): Promise<Result> {
  return withLocalStore(values, streams, { init }, async ({ signal, ...local }) => {
    const [{ openRepository }, { insideOf }] = await Promise.all([
      import('../../repository/repository.ts'),
      import('../../repository/inside.ts'),
    ]);
    const repository = await openRepository({
      ...local,
      create: init,
      threads: availableParallelism(),
      scratchFolder: join(tmpdir(), 'karri-scratch'),
    });
    try {
      const { core } = insideOf(repository);
      return await work({ repository, getSnapshot: (id) => core.getSnapshot(id, signal), signal });
    } finally {
      await repository.close();
    }
  });
}

export interface LocalStore {
  /** Its keys begin where the repository's do. */
  readonly store: ObjectStore;
  readonly projectId: string;
  readonly providerKey: Buffer;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** As `withLocalRepository`, but does not open it. */
export async function withLocalStore<Result>(
  values: BankValues,
  streams: Streams,
  { init }: { readonly init: boolean },
  work: (local: LocalStore) => Promise<Result>,
): Promise<Result> {
  if (values.bank === undefined) throw new UsageError('Say which bank: --bank DIR or --bank s3://BUCKET.');
  if (values['key-file'] === undefined) throw new UsageError('Say where the key is: --key-file FILE.');
  const openBank = describeBank(values.bank, values, init);
  const throttle = await findThrottle(values, streams.environment);
  const keyFile = resolve(values['key-file']);
  const providerKey = init && !existsSync(keyFile) ? createKeyFile(keyFile) : readKeyFile(keyFile);
  const log = createTextLog('warn', streams.err);
  const interrupt = listenForInterrupt();
  try {
    // Side by side: while the bank answers, the repository's code is loaded.
    const [raw] = await Promise.all([
      openBank({ log, environment: streams.environment }),
      import('../../repository/repository.ts'),
    ]);
    const bank = createBankStore(raw, { log, throttle });
    try {
      const projectId = values.project ?? localProject;
      // The layout of a service's bank; what it loads is not needed for the one project whose name is its folder.
      const folder =
        projectId === localProject ? projectId : (await import('../../protection/bank-layout.ts')).keyPart(projectId);
      const store = createPrefixedStore(bank, `repositories/${folder}/`);
      return await work({ store, projectId, providerKey, log, signal: interrupt.signal });
    } finally {
      await bank.close();
    }
  } finally {
    interrupt.stop();
  }
}

async function findThrottle(values: BankValues, environment: Environment): Promise<Throttle | undefined> {
  const up = values['limit-up'] ?? environment['KARRI_UPLOAD_LIMIT'];
  const down = values['limit-down'] ?? environment['KARRI_DOWNLOAD_LIMIT'];
  if (up === undefined && down === undefined) return undefined;
  return (await import('./limits.ts')).readThrottle(up, down);
}

type OpenBank = (from: { readonly log: Log; readonly environment: Environment }) => Promise<ObjectStore>;

function describeBank(bank: string, values: BankValues, init: boolean): OpenBank {
  const { endpoint, region, 'credentials-file': credentialsFile } = values;
  if (!bank.startsWith('s3://')) {
    if (endpoint ?? region ?? credentialsFile)
      throw new UsageError('--endpoint, --region and --credentials-file belong to a bank s3://BUCKET.');
    const path = resolve(bank);
    return async () => (await import('../../../plugins/banks/filesystem/filesystem-store.ts')).openFilesystemStore(path);
  }
  const [, bucket, prefix] = /^s3:\/\/([^/]{3,255})(?:\/(.*?))?\/?$/.exec(bank) ?? [];
  if (bucket === undefined) throw new UsageError(`--bank is "${bank}"; it must be a folder or s3://BUCKET[/PREFIX].`);
  if (endpoint !== undefined && !/^https?:\/\/[^/@]+\/?$/.test(endpoint))
    throw new UsageError(`--endpoint is "${endpoint}"; it must be http://HOST[:PORT] or https://HOST[:PORT].`);
  const config = {
    bucket,
    ...(prefix && { prefix }),
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(credentialsFile === undefined
      ? { access_key_env: 'AWS_ACCESS_KEY_ID', secret_key_env: 'AWS_SECRET_ACCESS_KEY' }
      : { credentials_file: resolve(credentialsFile) }),
    create_bucket: init,
  };
  return async ({ log, environment }) => {
    const { openS3Store } = await import('../../../plugins/banks/s3/s3-store.ts');
    const readEnvironment = (name: string): string | undefined => environment[name];
    return openS3Store(config, { log, resolvePath: resolve, readEnvironment, volumeRoots: [], namedVolumes: [], ownFolders: [] });
  };
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
