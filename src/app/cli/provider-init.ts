import { resolve } from 'node:path';
import { initProvider } from '../../config/init-provider.ts';
import { type Command, parse, UsageError } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

const options = {
  ...configOptions,
  dir: { type: 'string' },
  name: { type: 'string' },
  description: { type: 'string' },
  bank: { type: 'string', default: 'filesystem' },
  path: { type: 'string' },
  endpoint: { type: 'string' },
  region: { type: 'string' },
  bucket: { type: 'string' },
  prefix: { type: 'string' },
  'path-style': { type: 'boolean' },
  'credentials-file': { type: 'string' },
} as const;

export const providerInit: Command = {
  usage: `provider init [NAME] [--bank filesystem --path DIR | --bank s3 --bucket NAME [--endpoint URL] [--region NAME] [--prefix TEXT] [--path-style] [--credentials-file FILE]] [--description TEXT] [--dir DIR] ${configUsage}`,
  summary: 'write a provider file with a fresh id and key',
  async run(args, streams) {
    const { values, positionals } = parse(args, options, 1);
    const config = readConfigFor(streams, values, { KARRI_PROVIDERS_DIR: values.dir });
    const file = initProvider({
      folder: config.providersDir,
      name: positionals[0] ?? values.name ?? 'default',
      ...(values.description === undefined ? {} : { description: values.description }),
      bank: { plugin: values.bank, config: bankConfig(values) },
    });
    streams.out.write(`${file}\n`);
    streams.err.write(
      'Keep the key beside it safe: without it nothing in the bank can be read. It is read at the next start or on SIGHUP.\n',
    );
    return 0;
  },
};

interface BankValues {
  readonly bank: string;
  readonly path?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly bucket?: string | undefined;
  readonly prefix?: string | undefined;
  readonly 'path-style'?: boolean | undefined;
  readonly 'credentials-file'?: string | undefined;
}

function bankConfig(values: BankValues): Record<string, unknown> {
  const { endpoint, region, bucket, prefix } = values;
  const s3 = {
    endpoint,
    region,
    bucket,
    prefix,
    path_style: values['path-style'],
    credentials_file: absolute(values['credentials-file']),
  };
  const filesystem = { path: absolute(values.path) };
  const known = { filesystem, s3 }[values.bank];
  if (known === undefined) throw new UsageError(`--bank is "${values.bank}"; it must be filesystem or s3.`);
  const foreign = Object.entries(known === s3 ? filesystem : s3).find(([, value]) => value !== undefined);
  if (foreign !== undefined)
    throw new UsageError(`--${foreign[0].replace('_', '-')} does not belong to a bank of kind ${values.bank}.`);
  const required = known === s3 ? bucket : values.path;
  if (required === undefined)
    throw new UsageError(known === s3 ? '--bank s3 needs --bucket.' : '--bank filesystem needs --path.');
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** On the command line paths are relative to the current folder, in the file to the file. */
function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}
