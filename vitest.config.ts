// SPDX-License-Identifier: Apache-2.0
// One way to run the suite, with coverage or without: in processes (an addon does not survive `vmThreads`), code loaded
// by Node and tsx themselves. The default runner rewrites modules, after which V8's coverage
// no longer fits the sources: everything would count as covered. test/coverage/ watches over that.
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { NotRunReporter } from './test/not-run-reporter.ts';

const isDeep = process.env.SLUICE_DEEP === '1' || process.argv.some(word => word.includes('test/deep/'));

const isMeasured = process.env.NODE_V8_COVERAGE !== undefined;

// A limit for hangs, not for slowness: CI's machines are shared, and builds with sanitizers take their time. Coverage counts
// programs that start from their sources.
const patience = isMeasured ? 180_000 : 60_000;

/** Their files leave nothing behind in a process, so that one process runs many: most of a file's time is its start. */
const sharing = ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'];

/** vitest does not tell projects of this option. */
const leftOut = process.argv.flatMap(word => /^--exclude=(.*)$/.exec(word)?.[1] ?? []);
// The long tests are for `npm run deep`, and for who names one.
const exclude = [...configDefaults.exclude, ...leftOut, ...(isDeep ? [] : ['test/deep/**'])];

export default defineConfig({
  test: {
    pool: 'forks',
    // vitest leaves a processor to itself, and half of the tests wait for a process or the network.
    maxWorkers: availableParallelism() + 1,
    testTimeout: patience,
    hookTimeout: patience,
    execArgv: ['--import=tsx'],
    experimental: { viteModuleRunner: false, nodeLoader: false },
    setupFiles: isMeasured ? ['./test/coverage/take-coverage.ts'] : [],
    // `npm test` reads the two files.
    reporters: ['default', ['json', { outputFile: 'out/vitest.json' }], new NotRunReporter('out/not-run.json')],
    projects: [
      { extends: true, test: { name: 'sharing', isolate: isMeasured, include: sharing, exclude } },
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: [...exclude, ...sharing] } },
    ],
  },
});
