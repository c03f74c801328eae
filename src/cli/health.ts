// SPDX-License-Identifier: Apache-2.0
// `sluice health`: the targets of health checks, their states, and the evidence.
import type { ApiClient } from '../core/api/client.ts';
import { UsageError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import { type TargetAnswer, targetsRoute } from '../health/api.ts';
import { checkLine, targetNotes } from '../health/words.ts';
import type { Command, ParsedOptions } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';

const usage = `Usage: sluice health [OPTION…]

Prints the real servers that are checked, whether they are up, and what their checks found last. A state changes after
several results in a row that say so: "2 of 3 failed" is a server that is still up.

  --service NAME  only those of this virtual service, such as 'tcp 10.0.1.100:80'
  --server ADDR   only this server, by its address or by address and port
  --down          only those that are down
${commonUsage}
`;

const options = { service: { type: 'string' }, server: { type: 'string' }, down: { type: 'boolean' } } as const;

async function ask(client: ApiClient, { values, flags }: ParsedOptions): Promise<TargetAnswer[]> {
  const asked = given({
    group: values.get('service')?.[0],
    target: values.get('server')?.[0],
    health: flags.has('down') ? ('down' as const) : undefined,
  });
  const rows: TargetAnswer[] = [];
  for await (const row of client.stream(targetsRoute, asked)) rows.push(row);
  if (rows.length === 0 && (values.has('service') || values.has('server')) && !flags.has('down')) {
    throw new UsageError('no such server is checked', {
      value: asked.target ?? asked.group,
      remedy: 'sluice health lists all that are; a service has to name its checks',
    });
  }
  return rows;
}

export const healthCommand: Command = {
  usage,
  run: args => askAndPrint(args, { options, ask, text }),
};

function text(rows: readonly TargetAnswer[]): string {
  if (rows.length === 0) return 'nothing\n';
  const groups = [...new Set(rows.map(({ group }) => group))];
  return groups
    .map(group =>
      groupText(
        group,
        rows.filter(row => row.group === group),
      ),
    )
    .join('\n');
}

function groupText(group: string, targets: readonly TargetAnswer[]): string {
  const isLost = targets.some(({ quorum }) => quorum === 'down');
  return `${group}${isLost ? ': the quorum is lost' : ''}\n${targets.flatMap(targetLines).join('\n')}\n`;
}

function targetLines(answer: TargetAnswer): string[] {
  const { target, health, checks } = answer;
  const lines = checks.map(check => `          ${checkLine(check)}`);
  return [`  ${health.padEnd(4)}  ${[target, ...targetNotes(answer)].join(', ')}`, ...lines];
}
