import { createPolicy } from '../../api/policy.ts';
import { type Command, parse } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

export const policyShow: Command = {
  usage: `policy show ${configUsage}`,
  summary: 'show the rules in force, in the form of the policy file, which may override each by its name',
  async run(args, streams) {
    const { values } = parse(args, configOptions);
    const config = readConfigFor(streams, values);
    const lines = createPolicy(config.policy).list();
    const width = Math.max(...lines.map(({ name }) => name.length));
    for (const { name, rule, isDefault } of lines) {
      const padded = `'${name}':`.padEnd(width + 4);
      streams.out.write(`${padded}'${rule.replaceAll("'", "''")}'${isDefault ? '' : `  # ${config.policyFile}`}\n`);
    }
    return 0;
  },
};
