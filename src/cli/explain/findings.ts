// SPDX-License-Identifier: Apache-2.0
// Explanations of services and real servers as text: the verdict in one line, what was found, what to do.
import type { controlExplain } from '../../control/api.ts';
import type { AnswerOf } from '../../core/api/route.ts';
import { sinceText } from '../../core/explanation.ts';

export type SubjectExplanation = AnswerOf<typeof controlExplain>[number];

const noEffect = '  ';
const hasEffect = '! ';

export function subjectText({ group, target, verdict, findings }: SubjectExplanation): string {
  const name = target === undefined ? group : `real server ${target} of ${group}`;
  const width = Math.max(...findings.map(({ topic }) => topic.length), 0);
  const lines = findings.flatMap(finding => [
    `${finding.effect === 'none' ? noEffect : hasEffect}${finding.topic.padEnd(width)}  ${sinceText(finding)}`,
    ...finding.details.map(detail => `${noEffect}${' '.repeat(width)}  - ${detail}`),
  ]);
  const remedies = findings.flatMap(({ remedy, effect }) =>
    remedy === undefined || effect === 'none' ? [] : [remedy],
  );
  const toDo =
    remedies.length === 0 ? [] : ['', 'what to do', ...[...new Set(remedies)].map(remedy => `  - ${remedy}`)];
  return `${[`${name} ${verdictText(verdict, target === undefined)}`, '', ...lines, ...toDo].join('\n')}\n`;
}

function verdictText({ connections, reasons }: SubjectExplanation['verdict'], isService: boolean): string {
  const verb = isService ? 'takes' : 'gets';
  switch (connections) {
    case 'all':
      return `${verb} new connections`;
    case 'hindered':
      return `${verb} new connections, but ${reasons.join('; ')}`;
    case 'none':
      return `${verb} no new connections: ${reasons.join('; ')}`;
  }
}
