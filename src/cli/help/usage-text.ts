// SPDX-License-Identifier: Apache-2.0
// The usage of a command taken apart: completion and manual pages are made of the same text that --help prints.
//
//   Usage: sluice NAME …     the synopses
//
//   Lines of a paragraph.    a paragraph
//
//     --option VALUE  text   items: a term, at least two spaces, its text; deeper lines go on with the text
//
//     $ an example           lines without such a gap stay as they are

export interface UsageItem {
  readonly term: string;
  /** Lines; those that are set in further than the first one begin with spaces. */
  readonly text: readonly string[];
}

export type UsagePart =
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'items'; readonly items: readonly UsageItem[] }
  | { readonly kind: 'verbatim'; readonly lines: readonly string[] };

export interface UsageText {
  readonly synopses: readonly string[];
  readonly parts: readonly UsagePart[];
}

const synopsisStart = 'Usage: ';
const itemLine = /^( {2})(\S.*?)( {2,})(\S.*)$/;

export function parseUsage(usage: string): UsageText {
  const [head = '', ...blocks] = usage.trimEnd().split('\n\n');
  return { synopses: synopsesOf(head), parts: blocks.flatMap(block => partsOf(block.split('\n'))) };
}

/** A line that begins a command is a synopsis; other lines go on with the one before. */
function synopsesOf(head: string): string[] {
  const synopses: string[] = [];
  for (const line of head.split('\n')) {
    const text = line.startsWith(synopsisStart) ? line.slice(synopsisStart.length) : line.trim();
    if (text.startsWith('sluice ')) synopses.push(text);
    else synopses.push(`${synopses.pop() ?? ''} ${text}`.trim());
  }
  return synopses;
}

/** A block is a paragraph, items, or both: a paragraph that ends with what its items are. */
function partsOf(lines: readonly string[]): UsagePart[] {
  const first = lines.findIndex(line => line.startsWith('  '));
  if (first === -1) return [{ kind: 'paragraph', text: lines.join(' ') }];
  const before = lines.slice(0, first);
  const indented = lines.slice(first);
  const end = indented.findIndex(line => !line.startsWith(' '));
  const block = end === -1 ? indented : indented.slice(0, end);
  const after = end === -1 ? [] : indented.slice(end);
  return [
    ...(before.length === 0 ? [] : [{ kind: 'paragraph', text: before.join(' ') } as const]),
    itemLine.test(block[0] ?? '') ? itemsOf(block) : { kind: 'verbatim', lines: block },
    ...(after.length === 0 ? [] : partsOf(after)),
  ];
}

function itemsOf(lines: readonly string[]): UsagePart {
  const items: { term: string; text: string[]; column: number }[] = [];
  for (const line of lines) {
    const [, margin = '', term = '', gap = '', text = ''] = itemLine.exec(line) ?? [];
    const last = items.at(-1);
    if (term !== '') items.push({ term, text: [text], column: margin.length + term.length + gap.length });
    else if (last !== undefined)
      last.text.push(line.startsWith(' '.repeat(last.column)) ? line.slice(last.column) : line.trim());
  }
  return { kind: 'items', items: items.map(({ term, text }) => ({ term, text })) };
}

export interface UsageOption {
  /** `--config` and, if there is one, `-c`. */
  readonly names: readonly string[];
  /** `FILE`; undefined for an option that stands alone. */
  readonly value: string | undefined;
}

/** The options among the items. */
export function optionsOf({ parts }: UsageText): UsageOption[] {
  const items = parts.flatMap(part => (part.kind === 'items' ? part.items : []));
  return items.filter(({ term }) => term.startsWith('-')).map(({ term }) => optionOf(term));
}

function optionOf(term: string): UsageOption {
  const words = term.split(/,? /);
  const names = words.filter(word => word.startsWith('-'));
  return { names, value: words.find(word => !word.startsWith('-')) };
}

/** Words that stand for themselves behind the name of a command: `packet` and `server` of explain. */
export function subcommandsOf({ synopses }: UsageText): string[] {
  const second = synopses.map(synopsis => synopsis.split(' ')[2] ?? '');
  return [...new Set(second.filter(word => /^[a-z]+$/.test(word)))];
}
