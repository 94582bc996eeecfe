import { readFileSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Fault } from '../../base/faults.ts';
import type { Extent, VolumeInput } from '../../repository/contract.ts';
import { type Command, parse, UsageError } from './command.ts';
import { bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';
import { reportTransfer, startTransfer } from './transfer.ts';

const options = {
  ...bankOptions,
  init: { type: 'boolean', default: false },
  fast: { type: 'boolean', default: false },
  'read-everything': { type: 'boolean', default: false },
  since: { type: 'string' },
  changed: { type: 'string' },
} as const;

export const backup: Command = {
  usage: `backup PATH ${bankUsage} [--init] [--fast] [--read-everything] [--since SNAPSHOT --changed FILE]`,
  summary:
    'put a folder, an image or a device into a bank, without a service; --init makes key and repository, FILE lists what changed: [[offset, length], …]',
  async run(args, streams) {
    const { values, positionals } = parse(args, options, 1);
    if (positionals[0] === undefined) throw new UsageError('Say what to back up: a folder, an image file or a device.');
    const path = resolve(positionals[0]);
    const source = statSync(path, { throwIfNoEntry: false });
    if (source === undefined) {
      throw new Fault('not-found', 'cli.no_source', `There is nothing at ${path}.`, {
        help: 'Name a folder, an image file or a device.',
      });
    }
    const isFolder = source.isDirectory();
    const changed = readChanged(values);
    if (isFolder && changed !== undefined) throw new UsageError('--changed belongs to an image or a device, not to a folder.');
    refuseBankInside(path, values.bank);
    const transfer = startTransfer(streams, values.json);
    return withLocalRepository(values, streams, { init: values.init }, async ({ repository, signal }) => {
      const writeOptions = {
        subject: `path:${path}`,
        level: values.fast ? 'fast' : 'default',
        readEverything: values['read-everything'],
        signal,
        onProgress: transfer.update,
      } as const;
      const summary = isFolder
        ? await repository.writeTree({ path }, writeOptions)
        : await repository.writeVolume({ path, ...changed }, writeOptions);
      reportTransfer(streams, transfer.end(), { verb: 'backed up', snapshot: summary.id, ...summary });
      return 0;
    });
  },
};

interface ChangedValues {
  readonly since?: string | undefined;
  readonly changed?: string | undefined;
}

function readChanged({ since, changed }: ChangedValues): Pick<Extract<VolumeInput, { path: string }>, 'changed'> | undefined {
  if (since === undefined && changed === undefined) return undefined;
  if (since === undefined || changed === undefined) throw new UsageError('--since and --changed go together.');
  const content = readJson(changed);
  if (!Array.isArray(content)) throw badList(changed, 'is no list of changed ranges');
  return { changed: { since, extents: content.map((entry) => readExtent(entry, changed)) } };
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw badList(file, 'cannot be read', error);
  }
}

function readExtent(entry: unknown, file: string): Extent {
  const [offset, length] = Array.isArray(entry) && entry.length === 2 ? (entry as unknown[]) : [];
  if (!isCount(offset) || !isCount(length)) throw badList(file, 'is no list of changed ranges');
  return { offset, length };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function badList(file: string, why: string, cause?: unknown): Fault {
  return new Fault('invalid', 'cli.bad_list', `${file} ${why}.`, {
    help: 'It must be JSON: [[offset, length], …] in bytes.',
    ...(cause !== undefined && { cause }),
  });
}

/** A backup that reads what it writes would never end. */
function refuseBankInside(path: string, bank: string | undefined): void {
  if (bank === undefined || bank.startsWith('s3://')) return;
  const below = relative(path, resolve(bank));
  if (below !== '' && (below.startsWith('..') || resolve(below) === below)) return;
  throw new Fault('invalid', 'cli.bank_inside', `The bank ${bank} lies in ${path} itself.`, {
    help: 'Keep the bank outside of what is backed up.',
  });
}
