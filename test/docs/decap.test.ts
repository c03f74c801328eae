// SPDX-License-Identifier: Apache-2.0
// docs/decap.md against the command and the table of reasons.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decapCommand } from '../../src/cli/decap.ts';
import { projectRoot } from './documents.ts';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
const document = read('docs/decap.md');

/** First and second cell of the rows of the table below that heading. */
function rows(heading: string): string[][] {
  const section = document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter(line => line.startsWith('| `'));
  return lines.map(line =>
    line
      .split('|')
      .slice(1, 3)
      .map(cell => cell.trim()),
  );
}

describe('docs/decap.md', () => {
  it('has every option of the command', () => {
    const told = [...decapCommand.usage.matchAll(/^ {2}(--\S+ [A-Z]+)/gm)].map(match => `\`${match[1]}\``);
    expect(rows('Options').map(([option]) => option)).toEqual(told);
  });

  it('has every reason with its meaning', () => {
    const reasons = [...read('native/decap/reasons.def').matchAll(/^REASON\((\w+), "(.*)"\)$/gm)];
    const table = reasons.map(([, name = '', meaning]) => [`\`${name.replaceAll('_', '-')}\``, meaning]);
    expect(rows('What is counted').slice(0, -1)).toEqual(table);
  });
});
