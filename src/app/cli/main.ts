import { readEnvironment } from '../../config/environment.ts';
import { runCommand } from './run.ts';

process.exitCode = await runCommand(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  environment: readEnvironment(),
});
