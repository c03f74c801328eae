// SPDX-License-Identifier: Apache-2.0
// Runs every test that this machine and this user can run: native unit tests (ctest) and TypeScript tests (vitest).
import { parseArgs } from 'node:util';
import { build } from '../tools/build.ts';
import { heading, startScript } from '../tools/command.ts';
import { compile, ctest, shipped } from '../tools/native-tests.ts';
import { type Count, finish, none, sum } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';
import { testsWithNetworks } from './closure.ts';
import { nodeRelease } from './node-release.ts';
import { vitest } from './vitest.ts';

const usage = `
Usage: npm test [-- [--update] [--deep] [--node MAJOR] [FILE…] [VITEST OPTION…]]

Installs what is missing, builds what is not up to date, then runs the native tests with ctest and the TypeScript tests
with vitest. An ordinary user cannot run the tests that need root: they are listed as not run. Root runs everything.

  --update        renew the golden captures instead of comparing with them; look at the change with git before you
                  commit it
  --deep          also the long tests: test/deep and native/test/…_deep_test.cc
  --node MAJOR    run the TypeScript tests on the newest Node of this major version, with the same native module; without
                  --deep, leave out tests of documents and most tests that make networks
  FILE            run only these: test/unit/core/errors.test.ts, or native/test/wire/udp_test.cc

Other words are passed to vitest, for instance -t 'part of a name'.
`;

const nativeTest = /^(?:native\/(?:test|fuzz)\/)?(?:.*\/)?(\w+_(?:test|fuzz))(?:\.cc)?$/;

/** The only test with networks that the gate runs on another Node. */
const liveTest = 'test/process/run.test.ts';

interface Request {
  update: boolean;
  deep: boolean;
  node: string | undefined;
  nativeTests: string[];
  forVitest: string[];
}

/** Parses this script's own options and native tests. The other words are passed to vitest in their order. */
function parse(args: string[]): Request {
  const { values, tokens } = parseArgs({
    args,
    strict: false,
    tokens: true,
    options: { update: { type: 'boolean' }, deep: { type: 'boolean' }, node: { type: 'string' } },
  });
  const ours = new Set(tokens.flatMap(token => (token.kind === 'option' && isOurs(token.name) ? [token.index] : [])));
  const valueOfNode = tokens.find(token => token.kind === 'option' && token.name === 'node' && !token.inlineValue);
  if (valueOfNode) ours.add(valueOfNode.index + 1);
  const rest = args.filter((_, index) => !ours.has(index));
  const nativeTests = rest.flatMap(word => nativeTest.exec(word)?.[1] ?? []);
  return {
    update: values.update === true,
    deep: values.deep === true,
    node: typeof values.node === 'string' ? values.node : undefined,
    nativeTests,
    forVitest: rest.filter(word => !nativeTest.test(word)),
  };
}

function isOurs(option: string): boolean {
  return ['update', 'deep', 'node'].includes(option);
}

function nativeTests({ nativeTests: names, deep }: Request): Count {
  heading('native tests');
  compile(shipped, names);
  const isNamed = names.length > 0;
  return ctest(shipped.folder, { deep: deep || isNamed, ...(isNamed && { only: `^(${names.join('|')})$` }) });
}

/** The tests that are not run on another Node. */
function leftOut({ node, deep, forVitest }: Request): string[] {
  if (node === undefined) return [];
  // The lab injects packets by raw-socket, whose native part is built for the installed Node.
  const labIsOfOneNode = 'test/process/lab.test.ts';
  if (deep || forVitest.length > 0) return [labIsOfOneNode];
  return ['test/docs/**', ...testsWithNetworks().filter(path => path !== liveTest)];
}

function typeScriptTests(request: Request): Count {
  heading(request.node === undefined ? 'TypeScript tests' : `TypeScript tests on Node ${request.node}`);
  return vitest({
    ...(request.node !== undefined && { node: nodeRelease(request.node) }),
    env: { ...(request.update && { UPDATE_GOLDEN: '1' }), ...(request.deep && { SLUICE_DEEP: '1' }) },
    args: [...request.forVitest, ...leftOut(request).map(tests => `--exclude=${tests}`)],
    isPartial: request.forVitest.length > 0,
  });
}

function main(args: string[]): void {
  const request = parse(args);
  const onlyNative = request.nativeTests.length > 0 && request.forVitest.length === 0;
  const onlyTypeScript =
    request.nativeTests.length === 0 && (request.forVitest.length > 0 || request.node !== undefined);
  setup(['test']);
  build();
  const count = sum([onlyTypeScript ? none : nativeTests(request), onlyNative ? none : typeScriptTests(request)]);
  finish(request.node === undefined ? 'test' : `test-node${request.node}`, count);
}

await startScript(import.meta.url, usage, main);
