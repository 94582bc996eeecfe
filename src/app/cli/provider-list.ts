import { readProviders } from '../../config/providers.ts';
import { type Command, parse } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

export const providerList: Command = {
  usage: `provider list ${configUsage}`,
  summary: 'list the providers with their banks and files',
  async run(args, streams) {
    const { values } = parse(args, configOptions);
    const config = readConfigFor(streams, values);
    const providers = await readProviders(config.providersDir, config.readEnvironment);
    for (const { id, name, bank, enabled, file } of providers) {
      streams.out.write(`${id}  ${name}  ${bank.plugin}${enabled ? '' : '  (not enabled)'}  ${file}\n`);
    }
    if (providers.length === 0) streams.err.write(`No provider in ${config.providersDir}; \`karri provider init\` makes one.\n`);
    return 0;
  },
};
