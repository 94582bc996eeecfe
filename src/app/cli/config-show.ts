import { showConfig } from '../../config/show.ts';
import { type Command, parse } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

export const configShow: Command = {
  usage: `config show ${configUsage}`,
  summary: 'print the settings in force and where they come from, secrets masked',
  async run(args, streams) {
    const { values } = parse(args, configOptions);
    streams.out.write(showConfig(readConfigFor(streams, values)));
    return 0;
  },
};
