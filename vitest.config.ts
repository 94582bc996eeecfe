import { defineConfig } from 'vitest/config';

const realSuites = '**/*.real.test.ts';

/** `npm test` is everything a machine with only Node can run; `--mode real` is what needs root, packages and real servers. */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'real' ? [`test/${realSuites}`] : ['test/**/*.test.ts'],
    exclude: mode === 'real' ? [] : [realSuites],
    globalSetup: ['test/kit/global-setup.ts'],
    pool: 'forks',
    maxWorkers: mode === 'real' ? 1 : 2,
    // Real servers share ports, disks and a package manager: one file after the other.
    fileParallelism: mode !== 'real',
    testTimeout: mode === 'real' ? 300_000 : 60_000,
    hookTimeout: mode === 'real' ? 600_000 : 60_000,
    passWithNoTests: mode === 'real',
  },
}));
