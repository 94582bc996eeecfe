import { systemClock } from '../../base/clock.ts';
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { createConfiguredKeystone } from '../identity.ts';
import { registerService } from '../keystone-catalogue.ts';
import { type Command, parse, UsageError } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

const options = {
  ...configOptions,
  url: { type: 'string' },
  'internal-url': { type: 'string' },
  'admin-url': { type: 'string' },
  region: { type: 'string' },
} as const;

export const keystoneRegister: Command = {
  usage: `keystone register [--url URL] [--internal-url URL] [--admin-url URL] [--region NAME] ${configUsage}`,
  summary: "enter the service into Keystone's catalogue as data-protect, with the user of an openrc (OS_…) or the service's own",
  async run(args, streams) {
    const { values } = parse(args, options);
    const { OS_REGION_NAME: usualRegion } = streams.environment;
    const config = readConfigFor(streams, values, fromOpenrc(streams.environment));
    const url = readUrl('--url', values.url) ?? config.publicUrl ?? ownUrl(config);
    const changes = await registerService(createConfiguredKeystone(config, systemClock), {
      region: values.region ?? usualRegion ?? 'RegionOne',
      urls: {
        public: url,
        internal: readUrl('--internal-url', values['internal-url']) ?? url,
        admin: readUrl('--admin-url', values['admin-url']) ?? url,
      },
    });
    for (const change of changes) streams.out.write(`${change}\n`);
    if (changes.length === 0) streams.err.write('All of it stands in the catalogue already.\n');
    return 0;
  },
};

function ownUrl({ host, port }: Config): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function readUrl(option: string, text: string | undefined): string | undefined {
  if (text === undefined || /^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text?.replace(/\/+$/, '');
  throw new UsageError(`${option} is "${text}"; it must be an http:// or https:// address.`);
}

/** An administrator's own variables, where they name a user, in place of the service's settings. */
function fromOpenrc(environment: Environment): Environment {
  if (environment['OS_USERNAME'] === undefined) return {};
  return {
    KARRI_KEYSTONE_URL: environment['OS_AUTH_URL'],
    KARRI_KEYSTONE_USER: environment['OS_USERNAME'],
    KARRI_KEYSTONE_PASSWORD: environment['OS_PASSWORD'],
    KARRI_KEYSTONE_PROJECT: environment['OS_PROJECT_NAME'],
    KARRI_KEYSTONE_USER_DOMAIN: environment['OS_USER_DOMAIN_NAME'],
    KARRI_KEYSTONE_PROJECT_DOMAIN: environment['OS_PROJECT_DOMAIN_NAME'],
  };
}
