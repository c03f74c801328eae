// SPDX-License-Identifier: Apache-2.0
// Runs the commands that the documents show.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeSpans, documents, type Mention, projectRoot } from './documents.ts';

/** Longer than the slowest command that is run here needs on a busy machine. */
const longestCommand = 120_000;

const manifest: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(join(projectRoot, 'package.json'), 'utf8'),
);
const ciScript = readFileSync(join(projectRoot, '.ci/run'), 'utf8');

/** The commands of .ci/run: `npm ci`, and a script a step. CI runs each of them in full, so this test does not. */
function commandsOfCi(): Set<string> {
  const steps = /^for step in (.*); do$/m.exec(ciScript)?.[1] ?? '';
  const words = [...steps.matchAll(/'([^']+)'|(\S+)/g)].map(match => match[1] ?? match[2] ?? '');
  const installs = /^npm ci\b/m.test(ciScript) ? ['npm ci'] : [];
  return new Set([...installs, ...words.map(step => `npm run ${step}`)]);
}

/** A line may be several commands with && between them, and end with a remark. */
function commandsIn(lines: readonly Mention[]): Mention[] {
  return lines.flatMap(({ where, text }) =>
    text
      .replace(/(^|\s)#.*$/, '')
      .split('&&')
      .map(command => ({ where, text: command.trim() }))
      .filter(command => command.text !== ''),
  );
}

function inFull(command: string): string {
  return command.replace(/^npm test\b/, 'npm run test');
}

const readme = documents().filter(document => document.path === 'README.md');
const shown = readme
  .flatMap(document => document.blocks.filter(block => block.language === 'sh'))
  .flatMap(block => commandsIn(block.lines));
const ranByCi = commandsOfCi();

describe('README.md', () => {
  it('shows the two commands of a fresh machine', () => {
    expect(shown.map(command => command.text)).toEqual(expect.arrayContaining(['npm ci', 'npm test', 'npm run demo']));
  });

  it.each(shown.filter(command => !ranByCi.has(inFull(command.text))))(
    '$text runs ($where)',
    ({ text }) => {
      const { status, stdout, stderr } = spawnSync('bash', ['-c', text], {
        cwd: projectRoot,
        encoding: 'utf8',
        timeout: longestCommand,
      });
      expect({ status, ...(status !== 0 && { stdout, stderr }) }).toEqual({ status: 0 });
    },
    longestCommand,
  );
});

describe('the documents', () => {
  it('name npm scripts that exist', () => {
    const places = documents().flatMap(document => [
      ...codeSpans(document),
      ...document.blocks.filter(block => block.language === 'sh').flatMap(block => block.lines),
    ]);
    const unknown = places.flatMap(({ where, text }) =>
      [...text.matchAll(/\bnpm run ([\w:-]+)/g)]
        .map(match => match[1] ?? '')
        .filter(name => !Object.hasOwn(manifest.scripts, name))
        .map(name => `${where}: npm run ${name}`),
    );
    expect(unknown).toEqual([]);
  });
});

describe('package.json', () => {
  it.each(Object.entries(manifest.scripts))(
    'its script %s tells its usage with --help',
    (name, line) => {
      const script = line.replace(/^tsx /, '');
      // One that does not know --help would do its work: run this test, which would run it again.
      expect(readFileSync(join(projectRoot, script), 'utf8')).toMatch(/startScript\(|'--help'|help:/);
      const { status, stdout } = spawnSync(process.execPath, ['--import=tsx', script, '--help'], {
        cwd: projectRoot,
        encoding: 'utf8',
        timeout: longestCommand,
      });
      expect(status).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: npm (run )?${name}\\b`));
    },
    longestCommand,
  );
});
