#!/usr/bin/env node
// What `karri` starts. Plain JavaScript, so that the cache is there before the first type has to be stripped: 40 ms and 15 MiB.
import { existsSync } from 'node:fs';
import { constants, enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

// Lets V8 count buffers as a part of the heap that may grow with it. Left alone it collects all garbage for every 32 MiB of buffers made,
// however much has been freed meanwhile: with packs of 16 MiB that is half of the CPU of reading them, and pauses in which no socket is
// served (a restore of 384 MiB took 0.70 s instead of 0.39). Peak memory grows by some 10 to 30 MiB.
setFlagsFromString('--external-memory-accounted-in-global-limit');

// What a plain command makes in its main thread is small and soon dead. The room for it would grow to 64 MiB over a long restore, and not make it
// faster; the service, which answers requests there, is better off with it.
if (process.argv[2] !== 'start') setFlagsFromString('--semi-space-growth-factor=1');

// Node keeps what it makes of the sources in a folder of this user's own, so that the next start is spared stripping types and compiling:
// half of 0.4 s of CPU, and 20 MiB a thread. Worker threads learn of it by the variable. Where the folder cannot be written, starts stay
// as slow as they are.
const cache = join(homedir(), '.cache', 'karri');
const { status } = enableCompileCache(cache);
if (status === constants.compileCacheStatus.ENABLED) process.env.NODE_COMPILE_CACHE ??= cache;

// A published package holds JavaScript, as Node strips no types below node_modules; a clone runs as it is.
const built = new URL('../src/app/cli/main.js', import.meta.url);
if (existsSync(built)) await import(built.href);
else await import('../src/app/cli/main.ts');
