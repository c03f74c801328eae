// SPDX-License-Identifier: Apache-2.0
// The same tests under the sanitizers: memory errors, leaks and undefined behaviour in the native tests and in the
// addon as Node loads it; data races in the native tests of what runs threads.
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../tools/build.ts';
import { Failure, heading, mustRun, outputOf, parallelJobs, projectRoot, startScript } from '../tools/command.ts';
import { filesUnder } from '../tools/files.ts';
import { compile, ctest } from '../tools/native-tests.ts';
import { type Count, finish, sum } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';
import { foldersWithThreads, testsWithNetworks } from './closure.ts';
import { vitest } from './vitest.ts';

const usage = `
Usage: npm run sanitize [-- [--only PART] [--deep]]

  address      the native tests and corpus replays with AddressSanitizer, LeakSanitizer and UBSan
  addon        the TypeScript tests on an addon that was built the same way, but those that make networks
  thread       with ThreadSanitizer the native tests of every folder where one of them, or what it links, has threads

  --only PART  one of these; all without it
  --deep       also the long native tests, NAME_deep_test.cc
`;

const memorySanitizers = 'address,undefined';

/** cmake-js gives CMake Node's headers, so that one build holds the native tests and the addon. */
function buildWithAddressSanitizer(): void {
  const cmakeJs = join(projectRoot, 'node_modules/cmake-js/bin/cmake-js');
  const options = ['-O', 'out/asan', '-B', 'RelWithDebInfo', '-G', 'Ninja', `--CDSANITIZE=${memorySanitizers}`];
  mustRun(process.execPath, [cmakeJs, 'build', '--log-level=warn', ...options, '--parallel', String(parallelJobs)]);
}

function address(deep: boolean): Count {
  heading('native tests: AddressSanitizer, LeakSanitizer, UBSan');
  buildWithAddressSanitizer();
  return ctest('asan', { deep });
}

function addon(): Count {
  heading('TypeScript tests on the addon under AddressSanitizer and UBSan');
  buildWithAddressSanitizer();
  build();
  const runtimes = ['libasan.so', 'libubsan.so'].map(name => outputOf('g++', [`-print-file-name=${name}`]));
  return vitest({
    // What the documents say does not depend on the addon. Tests that raise networks start a process for each question,
    // which takes many times as long here; the native code that they reach has tests of its own.
    args: ['test/docs/**', ...testsWithNetworks()].map(tests => `--exclude=${tests}`),
    env: {
      SLUICE_ADDON: join(projectRoot, 'out/asan/RelWithDebInfo/sluice.node'),
      LD_PRELOAD: runtimes.join(' '),
      // Node does not free everything at its exit; the native tests look for leaks.
      ASAN_OPTIONS: 'detect_leaks=0',
    },
  });
}

function thread(deep: boolean): Count {
  heading('native tests: ThreadSanitizer');
  const folders = foldersWithThreads();
  const tests = folders.flatMap(folder => filesUnder(`native/test/${folder}`, path => path.endsWith('_test.cc')));
  const programs = folders.map(folder => `tests_of_${folder}`);
  compile({ folder: 'tsan', variables: { CMAKE_BUILD_TYPE: 'RelWithDebInfo', SANITIZE: 'thread' } }, programs);
  const names = tests.map(path => basename(path, '.cc'));
  // ThreadSanitizer's fixed shadow does not fit beside the wide address randomisation of newer kernels.
  const launcher = ['setarch', '--addr-no-randomize'];
  return ctest('tsan', { only: `^(${names.join('|')})$`, launcher, deep });
}

const parts: Record<string, (deep: boolean) => Count> = { address, addon, thread };

function main(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: { only: { type: 'string' }, deep: { type: 'boolean', default: false } },
  });
  const names = values.only === undefined ? Object.keys(parts) : [values.only];
  setup(['sanitize']);
  const counts = names.map(name => {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
    if (part === undefined) throw new Failure(`no such part: ${name}\n${usage.trim()}`, 2);
    return part(values.deep);
  });
  const count = sum(counts);
  finish('sanitize', count);
}

await startScript(import.meta.url, usage, main);
