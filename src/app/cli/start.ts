import { type Command, parse } from './command.ts';
import { configOptions, configUsage, readConfigFor } from './config-options.ts';

const options = { ...configOptions, host: { type: 'string' }, port: { type: 'string' }, roles: { type: 'string' } } as const;

export const start: Command = {
  usage: `start [--host ADDRESS] [--port NUMBER] [--roles all|api,worker,scheduler] ${configUsage}`,
  summary: 'run the service until SIGTERM or Ctrl-C; SIGHUP reads the provider files again',
  async run(args, streams) {
    const { values } = parse(args, options);
    const config = readConfigFor(streams, values, {
      KARRI_HOST: values.host,
      KARRI_PORT: values.port,
      KARRI_ROLES: values.roles,
    });
    const { createLog } = await import('../log.ts');
    const log = createLog({ level: config.logLevel, format: config.logFormat });
    if (config.unknownVariables.length > 0) {
      log.warn('Some KARRI_ variables are no settings; look for spelling mistakes.', { variables: config.unknownVariables });
    }
    const { runService } = await import('../main.ts');
    await runService(config, log);
    return 0;
  },
};
