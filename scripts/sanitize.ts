// SPDX-License-Identifier: Apache-2.0
// The same tests under the sanitizers: memory errors, leaks and undefined behaviour in the native tests and in the
// addon as Node loads it; data races in the native tests of what runs threads.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.ts';
import { Failure, heading, mustRun, outputOf, parallelJobs, projectRoot, startScript } from './command.ts';
import { filesUnder } from './files.ts';
import { compile, ctest } from './native-tests.ts';
import { type Count, finish, none, sum } from './results.ts';
import { setup } from './setup.ts';
import { vitest } from './vitest.ts';

const usage = `
Usage: npm run sanitize [-- --only PART]

  address      the native tests and corpus replays with AddressSanitizer, LeakSanitizer and UBSan
  addon        the TypeScript tests on an addon that was built the same way
  thread       the native tests that include <thread> with ThreadSanitizer

  --only PART  one of these; all without it
`;

const memorySanitizers = 'address,undefined';

/** cmake-js gives CMake Node's headers, so that one build holds the native tests and the addon. */
function buildWithAddressSanitizer(): void {
  const cmakeJs = join(projectRoot, 'node_modules/cmake-js/bin/cmake-js');
  const options = ['-O', 'out/asan', '-B', 'RelWithDebInfo', '-G', 'Ninja', `--CDSANITIZE=${memorySanitizers}`];
  mustRun(process.execPath, [cmakeJs, 'build', '--log-level=warn', ...options, '--parallel', String(parallelJobs)]);
}

function address(): Count {
  heading('native tests: AddressSanitizer, LeakSanitizer, UBSan');
  buildWithAddressSanitizer();
  return ctest('asan');
}

function addon(): Count {
  heading('TypeScript tests on the addon under AddressSanitizer and UBSan');
  buildWithAddressSanitizer();
  build();
  const runtimes = ['libasan.so', 'libubsan.so'].map(name => outputOf('g++', [`-print-file-name=${name}`]));
  return vitest({
    // What the documents say does not depend on the addon. Tests that raise networks start a process for each question,
    // which takes many times as long here; the native code that they reach has tests of its own.
    args: ['--exclude=test/docs/**', '--exclude=test/process/{capture,decap,demo,explain,lab,run,top,xdp}.test.ts'],
    env: {
      SLUICE_ADDON: join(projectRoot, 'out/asan/RelWithDebInfo/sluice.node'),
      LD_PRELOAD: runtimes.join(' '),
      // Node does not free everything at its exit; the native tests look for leaks.
      ASAN_OPTIONS: 'detect_leaks=0',
    },
  });
}

function runsThreads(path: string): boolean {
  return path.endsWith('_test.cc') && readFileSync(join(projectRoot, path), 'utf8').includes('#include <thread>');
}

function thread(): Count {
  const targets = filesUnder('native/test', runsThreads).map(path => basename(path, '.cc'));
  if (targets.length === 0) return none;
  heading('native tests: ThreadSanitizer');
  compile({ folder: 'tsan', variables: { CMAKE_BUILD_TYPE: 'RelWithDebInfo', SANITIZE: 'thread' } }, targets);
  // ThreadSanitizer's fixed shadow does not fit beside the wide address randomisation of newer kernels.
  return ctest('tsan', { only: `^(${targets.join('|')})$`, launcher: ['setarch', '--addr-no-randomize'] });
}

const parts: Record<string, () => Count> = { address, addon, thread };

function main(args: string[]): void {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } });
  const names = values.only === undefined ? Object.keys(parts) : [values.only];
  setup(['sanitize']);
  const counts = names.map(name => {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
    if (part === undefined) throw new Failure(`no such part: ${name}\n${usage.trim()}`, 2);
    return part();
  });
  const count = sum(counts);
  finish('sanitize', count);
}

await startScript(import.meta.url, usage, main);
