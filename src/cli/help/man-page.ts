// SPDX-License-Identifier: Apache-2.0
// Manual pages in roff (man(7)), made of the usages that --help prints.
import type { CommandRow } from '../commands.ts';
import type { UsageItem, UsagePart, UsageText } from './usage-text.ts';

/** Administration commands. */
const section = 8;

export interface PageHead {
  /** `sluice-drain`. */
  readonly name: string;
  readonly summary: string;
  /** `Sluice 1.0.0`. */
  readonly source: string;
}

export function manPage(head: PageHead, { synopses, parts }: UsageText, seeAlso: readonly string[]): string {
  return [
    ...headLines(head),
    '.SH SYNOPSIS',
    ...synopses.flatMap((synopsis, index) => [...(index === 0 ? [] : ['.br']), ...synopsisLines(synopsis)]),
    '.SH DESCRIPTION',
    ...withoutEmptyHeads(
      parts.flatMap((part, at) => [...(at === firstOptions(parts) ? ['.SH OPTIONS'] : []), ...linesOf(part)]),
    ),
    ...seeAlsoLines(seeAlso),
  ].join('\n');
}

/** The page of `sluice` itself: the commands. */
export function overviewPage(source: string, rows: readonly CommandRow[]): string {
  const items = rows.map(({ name, summary }) => ({
    term: `sluice ${name}`,
    text: [`${summary}: ${pageOf(name)}(${section})`],
  }));
  return [
    ...headLines({ name: 'sluice', summary: 'a layer-4 balancer for Linux hosts', source }),
    '.SH SYNOPSIS',
    ...synopsisLines('sluice COMMAND [OPTION…]'),
    '.SH DESCRIPTION',
    ...linesOf({ kind: 'items', items }),
    '.PP',
    roff('sluice COMMAND --help prints the usage of a command.'),
    '.SH EXIT STATUS',
    roff('0 done, 1 failed, 2 misuse.'),
    '.SH FILES',
    ...linesOf({
      kind: 'items',
      items: [
        { term: '/etc/sluice/sluice.yaml', text: ['the configuration of the service'] },
        { term: '/run/sluice.sock', text: ['the admin socket'] },
        { term: '/var/lib/sluice', text: ['the history, and captures of the last packets before a crash'] },
      ],
    }),
    '',
  ].join('\n');
}

export function pageOf(command: string): string {
  return `sluice-${command}`;
}

function headLines({ name, summary, source }: PageHead): string[] {
  return [
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} ${section} "" "${source}" "Sluice"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary)}`,
  ];
}

function seeAlsoLines(pages: readonly string[]): string[] {
  const last = pages.length - 1;
  return ['.SH SEE ALSO', ...pages.map((page, at) => `.BR ${roff(page)} (${section})${at === last ? '' : ','}`), ''];
}

/** A section begins a paragraph by itself. */
function withoutEmptyHeads(lines: readonly string[]): string[] {
  return lines.filter((line, at) => line !== '.PP' || !(at === 0 || lines[at - 1]?.startsWith('.SH')));
}

function firstOptions(parts: readonly UsagePart[]): number {
  return parts.findIndex(part => part.kind === 'items' && part.items[0]?.term.startsWith('-'));
}

function synopsisLines(synopsis: string): string[] {
  const [program = '', command = '', ...words] = synopsis.split(' ');
  return [`.B ${roff(`${program} ${command}`)}`, ...(words.length === 0 ? [] : [roff(words.join(' '))])];
}

function linesOf(part: UsagePart): string[] {
  if (part.kind === 'paragraph') return ['.PP', roff(part.text)];
  if (part.kind === 'items') return part.items.flatMap(itemLines);
  return ['.PP', '.RS', '.nf', ...part.lines.map(line => roff(line.trimStart())), '.fi', '.RE'];
}

function itemLines({ term, text }: UsageItem): string[] {
  const lines = text.flatMap(line => (line.startsWith(' ') ? ['.br', roff(line.trimStart())] : [roff(line)]));
  return ['.TP', `.B ${roff(term)}`, ...lines];
}

/** A line that begins with a dot or an apostrophe would be a request. */
function roff(text: string): string {
  const plain = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga');
  return plain.startsWith('.') ? `\\&${plain}` : plain;
}
