import { showConfig } from '../../config/show.ts';
import { type Command, configOptions, configUsage, parse, readConfigFor } from './command.ts';

export const configShow: Command = {
  usage: `config show ${configUsage}`,
  summary: 'print the settings in force and where they come from, secrets masked',
  async run(args, streams) {
    const { values } = parse(args, configOptions);
    streams.out.write(showConfig(readConfigFor(streams, values)));
    return 0;
  },
};
