// SPDX-License-Identifier: Apache-2.0
// `sluice status`: prints the snapshot in force, the state of the processes, and what the director forwards.
import { controlStatus } from '../control/api.ts';
import type { ApiClient } from '../core/api/client.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { UnavailableError } from '../core/errors.ts';
import { directorStatus } from '../director/api.ts';
import { formatServices } from '../director/ipvsadm/listing.ts';
import type { Command } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';

const usage = `Usage: sluice status [OPTION…]

Prints the snapshot in force, the state of the processes, and what the director forwards: ports, services with their
servers and connections, and packets by reason.

${commonUsage}
`;

type DirectorStatus = AnswerOf<typeof directorStatus>;
type ProcessRow = AnswerOf<typeof controlStatus>['processes'][number];

export interface Status extends AnswerOf<typeof controlStatus> {
  /** Absent while the director does not run. */
  readonly director?: DirectorStatus;
}

async function ask(client: ApiClient): Promise<Status> {
  const control = await client.call(controlStatus, {});
  try {
    return { ...control, director: await client.call(directorStatus, {}) };
  } catch (error) {
    // The director does not run. The list of processes says why.
    if (error instanceof UnavailableError) return control;
    throw error;
  }
}

function text({ version, snapshot, processes, warnings, director }: Status): string {
  const head = [
    `sluice ${version}`,
    `snapshot ${snapshot}`,
    ...processes.map(processLine),
    ...warnings.map(warning => `warning: ${warning}`),
  ];
  return `${[...head, ...(director === undefined ? [] : directorLines(director))].join('\n')}\n`;
}

function processLine({ name, state, user, pid, standsBy, since, restarts, lastError }: ProcessRow): string {
  const parts = [
    state === 'stopped' ? `does not run: the configuration has no section ${name}` : state,
    ...(pid === undefined ? [] : [`process ${pid} of ${user}`]),
    ...(standsBy === undefined ? [] : [`${standsBy} stands by`]),
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(restarts === 0 ? [] : [restarts === 1 ? 'restarted once' : `restarted ${restarts} times`]),
    ...(lastError === undefined ? [] : [`last error at ${lastError.at}: ${lastError.message}`]),
  ];
  return `${name}: ${parts.join(', ')}`;
}

const portWidths = [15, 13, 17, 11, 11, 9, 9];

function directorLines({ workers, stealing, ports, services, packets, notices }: DirectorStatus): string[] {
  const portRow = (cells: readonly (string | number)[]): string =>
    cells.map((cell, index) => String(cell)[index < 3 ? 'padEnd' : 'padStart'](portWidths[index] ?? 0)).join(' ');
  const portLines = [
    portRow(['port', 'type', 'address', 'received', 'sent', 'no room', 'not sent']),
    ...ports.map(port =>
      portRow([port.name, port.type, port.mac, port.received, port.transmitted, port.kernelDrops, port.sendFailures]),
    ),
  ];
  const packetLines = Object.entries(packets)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${String(count).padStart(12)}  ${reason}`);
  return [
    workers === 1 ? 'one worker' : `${workers} workers`,
    `packets are kept from the host's stack by ${stealing}`,
    ...notices.map(notice => `note: ${notice}`),
    '',
    ...portLines,
    '',
    formatServices(services).trimEnd(),
    '',
    'packets',
    ...packetLines,
  ];
}

export const statusCommand: Command = {
  usage,
  run: args => askAndPrint(args, { ask, text }),
};
