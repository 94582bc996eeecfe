#!/usr/bin/env node
import { keepCompiledCode } from '../../config/compile-cache.ts';
import { countBuffersAsHeap } from './garbage.ts';

countBuffersAsHeap();
keepCompiledCode();
// What is imported before the cache is there does not profit from it.
const { readEnvironment } = await import('../../config/environment.ts');
const { runCommand } = await import('./run.ts');

process.exitCode = await runCommand(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  environment: readEnvironment(),
});
