// SPDX-License-Identifier: Apache-2.0
// The commands that a document shows in blocks of the language `console`, and what they print.
import { documents } from './documents.ts';

export type Where = 'balancer' | 'client';

export interface Step {
  readonly where: string;
  readonly host: Where;
  readonly command: string;
  /** Lines; … stands for any text, and a line of … alone for any lines. */
  readonly printed: readonly string[];
}

/** The commands in their order. A line is `balancer# COMMAND` or `client$ COMMAND`; here-documents follow theirs. */
export function stepsOf(path: string): Step[] {
  const blocks = documents().find(document => document.path === path)?.blocks ?? [];
  return blocks.filter(({ language }) => language === 'console').flatMap(({ lines }) => stepsIn(lines));
}

function stepsIn(lines: readonly { where: string; text: string }[]): Step[] {
  const steps: { where: string; host: Where; command: string; printed: string[]; end: string | undefined }[] = [];
  for (const { where, text } of lines) {
    const [, host, command = ''] = /^(balancer|client)[#$] (.*)$/.exec(text) ?? [];
    const last = steps.at(-1);
    if (host === 'balancer' || host === 'client') {
      steps.push({ where, host, command, printed: [], end: /<<'(\w+)'$/.exec(command)?.[1] });
    } else if (last?.end !== undefined) {
      last.command += `\n${text}`;
      if (text === last.end) last.end = undefined;
    } else last?.printed.push(text);
  }
  return steps;
}

/** What fits the lines that a document shows. */
export function patternOf(printed: readonly string[]): RegExp {
  const lines = printed.map(line => {
    if (line === '…') return '(?:.*\\n)*';
    return `${line.split('…').map(escapeText).join('.*')}\\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

function escapeText(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
