// SPDX-License-Identifier: Apache-2.0
// The page about metrics in Markdown, made from the lists of families.
import type { Family } from './family.ts';
import { sampleName } from './text.ts';

/** The families of one process. */
export interface FamilyList {
  /** The heading. */
  readonly title: string;
  readonly families: readonly Family[];
}

const introduction = `# The families of metrics

This page is made from the lists of families in the code. [metrics.md](../metrics.md) says how to get them, what bounds their
number, and what to watch.
`;

export function metricsReference(lists: readonly FamilyList[]): string {
  const sections = lists.map(({ title, families }) =>
    [
      `## ${title}`,
      '',
      '| name | type | labels | meaning |',
      '| --- | --- | --- | --- |',
      ...families.map(row),
      '',
    ].join('\n'),
  );
  return [introduction, ...sections].join('\n');
}

function row(family: Family): string {
  const labels = family.labels.map(label => `\`${label}\``).join(', ');
  const name = sampleName(family);
  const names = family.type === 'summary' ? `\`${name}_count\`, \`${name}_sum\`` : `\`${name}\``;
  return `| ${names} | ${family.type} | ${labels} | ${family.help} |`;
}
