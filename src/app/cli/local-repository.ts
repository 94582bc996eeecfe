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
import { createTextLog } from '../text-log.ts';
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
  readonly repository: Repository;
  getSnapshot(id: string): Promise<SnapshotRecord>;
  /** Aborts at Ctrl-C or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

/**
 * Hands the repository of project `local` in the bank to `work` and closes everything behind it. `init`: the key and the repository
 * are made where they are missing. Loads no more than this takes: neither the plugins' schemas nor what checks them.
 * @throws UsageError; the faults of bank, key and repository
 */
export async function withLocalRepository<Result>(
  values: BankValues,
  streams: Streams,
  { init }: { readonly init: boolean },
  work: (local: LocalRepository) => Promise<Result>,
): Promise<Result> {
  if (values.bank === undefined) throw new UsageError('Say which bank: --bank DIR or --bank s3://BUCKET.');
  if (values['key-file'] === undefined) throw new UsageError('Say where the key is: --key-file FILE.');
  const openBank = describeBank(values.bank, values, init);
  const keyFile = resolve(values['key-file']);
  const providerKey = init && !existsSync(keyFile) ? createKeyFile(keyFile) : readKeyFile(keyFile);
  const log = createTextLog('warn', streams.err);
  const interrupt = listenForInterrupt();
  // Side by side: an SDK takes as long to load as the repository's code.
  const [raw, { openRepository }, { insideOf }] = await Promise.all([
    openBank({ log, environment: streams.environment }),
    import('../../repository/repository.ts'),
    import('../../repository/inside.ts'),
  ]);
  const bank = createBankStore(raw, { log });
  try {
    const repository = await openRepository({
      store: createPrefixedStore(bank, `repositories/${projectId}/`),
      projectId,
      providerKey,
      create: init,
      log,
      threads: availableParallelism(),
      scratchFolder: join(tmpdir(), 'karri-scratch'),
    });
    try {
      const { core } = insideOf(repository);
      return await work({ repository, getSnapshot: (id) => core.getSnapshot(id, interrupt.signal), signal: interrupt.signal });
    } finally {
      await repository.close();
    }
  } finally {
    await bank.close();
    interrupt.stop();
  }
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
