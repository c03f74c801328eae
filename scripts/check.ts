// SPDX-License-Identifier: Apache-2.0
// Checks the sources without running them: types, lint, format, and the house rules.
import { parseArgs } from 'node:util';
import { Failure, heading, projectRoot, run, startScript } from '../tools/command.ts';
import { ownFiles } from '../tools/files.ts';
import { setup } from '../tools/setup.ts';
import { staleBpf } from './bpf.ts';
import { brokenRules } from './rules.ts';

const usage = `
Usage: npm run check [-- --fix]

Checks types (tsc), lint and format of TypeScript and JSON (biome), format of C++ (clang-format 14), whether the committed
BPF programs match their sources, and the rules of CONTRIBUTING.md that a program can check.

  --fix   format, and apply the lint's safe fixes
`;

// Without this option biome writes colours whenever the variable CI is set.
const colors = process.stdout.isTTY ? '--colors=force' : '--colors=off';

interface Check {
  name: string;
  /** Whether the sources pass. Prints what is wrong. */
  passes: () => boolean;
}

function program(name: string, ...args: string[]): boolean {
  return run(name.startsWith('node_modules/') ? `${projectRoot}${name}` : name, args) === 0;
}

function checks(fix: boolean): Check[] {
  const cpp = ownFiles().filter(path => /^(native|lab)\/.*\.(cc|h)$/.test(path));
  return [
    { name: 'types', passes: () => program('node_modules/.bin/tsc', '--noEmit', '-p', '.') },
    {
      name: 'lint and format of TypeScript',
      passes: () =>
        program(
          'node_modules/.bin/biome',
          ...(fix ? ['check', '--write', colors, '.'] : ['ci', '--error-on-warnings', colors, '.']),
        ),
    },
    {
      name: 'format of C++',
      passes: () => program('clang-format-14', ...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...cpp),
    },
    { name: 'compiled BPF programs', passes: () => report(staleBpf()) },
    { name: 'house rules', passes: () => report(brokenRules()) },
  ];
}

function report(complaints: readonly string[]): boolean {
  for (const complaint of complaints) console.log(complaint);
  return complaints.length === 0;
}

function main(args: string[]): void {
  const { values } = parseArgs({ args, options: { fix: { type: 'boolean', default: false } } });
  setup(['check']);
  const failed = checks(values.fix).filter(check => {
    heading(check.name);
    return !check.passes();
  });
  if (failed.length > 0) throw new Failure(`Not clean: ${failed.map(check => check.name).join(', ')}.`);
  console.log('\nclean');
}

await startScript(import.meta.url, usage, main);
