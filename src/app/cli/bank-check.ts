import { getProvider, readProviders } from '../../config/providers.ts';
import { formatBankReport, probeBank } from '../../plugin/conformance/bank-probe.ts';
import { createContext, createPluginRegistry } from '../build.ts';
import { createLog } from '../log.ts';
import { type Command, parse, UsageError } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

const options = { ...configOptions, json: { type: 'boolean' } } as const;

export const bankCheck: Command = {
  usage: `bank check PROVIDER [--json] ${configUsage}`,
  summary: 'try what Karri needs of a bank, in a folder of its own there, and report; exit 1 when it is not fit',
  async run(args, streams) {
    const { values, positionals } = parse(args, options, 1);
    const wanted = positionals[0];
    if (wanted === undefined) throw new UsageError('Say which provider: its name or id.');
    const config = readConfigFor(streams, values);
    const { bank, resolvePath } = getProvider(await readProviders(config.providersDir, config.readEnvironment), wanted);
    const log = createLog({ level: 'warn', format: 'text', output: streams.err });
    const registry = await createPluginRegistry(config);
    const context = createContext(config, log, { resolvePath, ownFolders: [] });
    const store = await registry.getBank(bank.plugin).open(bank.config, context);
    try {
      const report = await probeBank(store);
      streams.out.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : formatBankReport(report));
      return report.fit ? 0 : 1;
    } finally {
      await store.close();
    }
  },
};
