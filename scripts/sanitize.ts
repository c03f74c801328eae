// SPDX-License-Identifier: Apache-2.0
// Runs the tests under sanitizers. They find memory errors, leaks and undefined behaviour in the native tests, memory errors
// and undefined behaviour in the addon, and data races in the native tests of code with threads.
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
  addon        the TypeScript tests on an addon with AddressSanitizer and UBSan, without those that make networks
  thread       with ThreadSanitizer, the native tests of each folder in which a test, or code that it links, has threads

  --only PART  only one of these parts; all unless given
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
    // The tests of documents do not need the addon. Tests that make networks start a process for each question, which is
    // very slow under sanitizers; the native code that they reach has native tests.
    args: ['test/docs/**', ...testsWithNetworks()].map(tests => `--exclude=${tests}`),
    env: {
      SLUICE_ADDON: join(projectRoot, 'out/asan/RelWithDebInfo/sluice.node'),
      LD_PRELOAD: runtimes.join(' '),
      // Node does not free everything at its exit. The native tests look for leaks.
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
  // ThreadSanitizer's shadow memory has fixed addresses, which collide with the wide address randomisation of newer kernels.
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
