// SPDX-License-Identifier: Apache-2.0
// `sluice status`: what the running process forwards, and how it goes.
import type { BalancerStatus } from '../daemon/balancer.ts';
import { formatServices } from '../director/ipvsadm/listing.ts';
import { askAndPrint, commonUsage } from './admin-client.ts';
import type { Command } from './command.ts';

const usage = `Usage: sluice status [OPTION…]

Prints what the running process forwards: ports, services with their servers and connections, and packets by reason.

${commonUsage}
`;

const portWidths = [15, 13, 17, 11, 11, 9, 9];

function text(status: BalancerStatus): string {
  const { version, pid, since, snapshot, workers, stealing, ports, services, packets, notices } = status;
  const head = [
    `sluice ${version}, process ${pid}, since ${since}, ${workers === 1 ? 'one worker' : `${workers} workers`}`,
    `snapshot ${snapshot}`,
    `the host's stack is kept away by ${stealing}`,
    ...notices.map(notice => `note: ${notice}`),
  ];
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
  return `${[...head, '', ...portLines, '', formatServices(services).trimEnd(), '', 'packets', ...packetLines].join('\n')}\n`;
}

export const statusCommand: Command = {
  usage,
  run: args => askAndPrint<BalancerStatus>(args, { path: '/status', text }),
};
