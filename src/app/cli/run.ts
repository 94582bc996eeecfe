import { toFault } from '../../base/faults.ts';
import { type Command, type Streams, UsageError } from './command.ts';

/** Loaded when they are asked for: `karri help` does not wait for the AWS SDK. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./start.ts')).start,
  'config show': async () => (await import('./config-show.ts')).configShow,
  'provider init': async () => (await import('./provider-init.ts')).providerInit,
  'provider list': async () => (await import('./provider-list.ts')).providerList,
  'bank check': async () => (await import('./bank-check.ts')).bankCheck,
  backup: async () => (await import('./backup.ts')).backup,
  snapshots: async () => (await import('./snapshots.ts')).snapshots,
  restore: async () => (await import('./restore.ts')).restore,
  check: async () => (await import('./check.ts')).check,
  forget: async () => (await import('./forget.ts')).forget,
  gc: async () => (await import('./gc.ts')).gc,
  'key rotate': async () => (await import('./key-rotate.ts')).keyRotate,
  'key destroy': async () => (await import('./key-destroy.ts')).keyDestroy,
  'token create': async () => (await import('./token-create.ts')).tokenCreate,
  'token list': async () => (await import('./token-list.ts')).tokenList,
  'token revoke': async () => (await import('./token-revoke.ts')).tokenRevoke,
  'policy show': async () => (await import('./policy-show.ts')).policyShow,
  'keystone register': async () => (await import('./keystone-register.ts')).keystoneRegister,
  openapi: async () => (await import('./openapi.ts')).openapi,
};

const exitCodes =
  'Exit code 0: done. 1: failed, or what was looked at is not as it should be. 2: the command line was not understood.';

/** Carries the command line out and returns the exit code. */
export async function runCommand(args: readonly string[], streams: Streams): Promise<number> {
  if (args.length === 0 || ['help', '--help', '-h'].includes(args[0] ?? '')) {
    (args.length === 0 ? streams.err : streams.out).write(await help());
    return args.length === 0 ? 2 : 0;
  }
  const name = [args.slice(0, 2).join(' '), args[0] ?? ''].find((candidate) => Object.hasOwn(commands, candidate));
  const command = await commands[name ?? '']?.();
  if (name === undefined || command === undefined) {
    streams.err.write(`There is no command "${args.slice(0, 2).join(' ')}".\n\n${await help()}`);
    return 2;
  }
  const rest = args.slice(name.split(' ').length);
  if (rest.some((arg) => arg === '--help' || arg === '-h')) {
    streams.out.write(`karri ${command.usage}\n  ${command.summary}\n  ${exitCodes}\n`);
    return 0;
  }
  try {
    return await command.run(rest, streams);
  } catch (error) {
    if (error instanceof UsageError) {
      streams.err.write(`${error.message}\nUsage: karri ${command.usage}\n`);
      return 2;
    }
    const fault = toFault(error);
    streams.err.write(`karri: ${fault.message}\n`);
    if (fault.help !== undefined) streams.err.write(`${fault.help}\n`);
    // A defect: whoever mends it needs the place.
    if (fault.code === 'base.unexpected' && error instanceof Error) streams.err.write(`${error.stack}\n`);
    return 1;
  }
}

async function help(): Promise<string> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()));
  const lines = loaded.map(({ usage, summary }) => `  karri ${usage}\n      ${summary}\n`);
  return `Karri protects volumes into a bank and restores them, here or on another cloud.\n\n${lines.join('')}  karri help\n      print this\n\n${exitCodes}\n`;
}
