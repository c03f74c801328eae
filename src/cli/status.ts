// SPDX-License-Identifier: Apache-2.0
// `sluice status`: what the running process forwards, and how it goes.
import type { BalancerStatus } from '../daemon/balancer.ts';
import { formatServices } from '../lvs/ipvsadm/listing.ts';
import { askAndPrint, commonUsage } from './admin-client.ts';
import type { Command } from './command.ts';

const usage = `Usage: sluice status [OPTION…]

Prints what the running process forwards: ports, services with their servers and connections, and packets by reason.

${commonUsage}
`;

function text(status: BalancerStatus): string {
  const { version, pid, since, snapshot, workers, stealing, ports, services, packets, notices } = status;
  const head = [
    `sluice ${version}, process ${pid}, since ${since}, ${workers === 1 ? 'one worker' : `${workers} workers`}`,
    `snapshot ${snapshot}`,
    `the host's stack is kept away by ${stealing}`,
    ...notices.map(notice => `note: ${notice}`),
  ];
  const portRow = (cells: readonly (string | number)[]): string =>
    cells.map((cell, index) => (index < 2 ? String(cell).padEnd(18) : String(cell).padStart(12))).join(' ');
  const portLines = [
    portRow(['port', 'address', 'received', 'sent', 'no room', 'not sent']),
    ...ports.map(port =>
      portRow([port.name, port.mac, port.received, port.transmitted, port.kernelDrops, port.sendFailures]),
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
