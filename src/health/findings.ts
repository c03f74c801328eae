// SPDX-License-Identifier: Apache-2.0
// What health checks say about a group or a target, with the evidence. What follows from it, the sections say whose targets
// are checked.
import type { Finding, Subject } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import { counted, mendServers } from '../core/words.ts';
import { targetAnswer } from './answers.ts';
import type { TargetAnswer } from './api.ts';
import type { Group } from './engine/group.ts';
import type { Monitor } from './engine/monitor.ts';
import { checkLine, failures } from './words.ts';

/** Nobody reads the lines of a thousand servers. */
const mostLines = 32;

export function healthFindings(monitor: Monitor, { group: key, target }: Subject): readonly Finding[] {
  const group = monitor.group(key);
  if (group === undefined) return [];
  const answers = group.targets.map(view => targetAnswer(group, view));
  if (target === undefined) return [groupFinding(answers), quorumFinding(group)];
  return answers.filter(answer => answer.target === target).map(targetFinding);
}

function targetFinding(answer: TargetAnswer): Finding {
  const { health, known, since, checks } = answer;
  const details = checks.map(checkLine);
  const flapping = checks.filter(check => check.flapping).map(({ check }) => check);
  if (flapping.length > 0) {
    details.push(`flapping: ${flapping.join(', ')} went down often lately and needs more successes to come back`);
  }
  const state = checks.length === 0 ? 'not checked: always up' : known ? health : `counts as ${health}: no results yet`;
  const text = health === 'down' && known ? `${state}: ${failures(answer)}` : state;
  return { topic: 'health', effect: 'none', text, details, ...given({ since }) };
}

function groupFinding(answers: readonly TargetAnswer[]): Finding {
  const down = answers.filter(({ health }) => health === 'down');
  const unknown = answers.filter(({ known }) => !known);
  const text = [
    `${answers.length - down.length} of ${counted(answers.length, 'server')} up`,
    ...(unknown.length === 0 ? [] : [`${unknown.length} without results yet`]),
  ].join(', ');
  const lines = down
    .slice(0, mostLines)
    .map(
      answer =>
        `${answer.target} down${answer.since === undefined ? '' : ` since ${answer.since}`}: ${failures(answer)}`,
    );
  const details = down.length > mostLines ? [...lines, `and ${down.length - mostLines} more`] : lines;
  return { topic: 'health', effect: 'none', text, details };
}

function quorumFinding(group: Group): Finding {
  const { live, lostBelow, metFrom } = group.weights;
  const details = [`weights of ${live} are up; lost below ${lostBelow}, met again from ${metFrom}`];
  if (group.quorum === 'up') return { topic: 'quorum', effect: 'none', text: 'the quorum is met', details };
  const isDown = group.targets.some(({ health }) => health === 'down');
  const remedy = isDown ? mendServers : 'take servers back from maintenance, or ask for a smaller quorum';
  return { topic: 'quorum', effect: 'hinders', text: 'the quorum is lost', details, remedy };
}
