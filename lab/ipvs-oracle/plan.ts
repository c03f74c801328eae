// SPDX-License-Identifier: Apache-2.0
// Writes a scenario as the plan that the program in the virtual machine reads. guest/stage.c describes the directives.

import { toHex } from '../../src/wire/ip-packet.ts';
import {
  type FirewallMark,
  portNames,
  type Scenario,
  type ScenarioTopology,
  type Step,
  showCommands,
} from './scenario.ts';

function sysctlLine({ name, value }: { name: string; value: string }): string {
  return `sysctl ${name.replaceAll('.', '/')} ${value}`;
}

function ipLines(topology: ScenarioTopology): string[] {
  const lines = ['link set lo up'];
  for (const name of portNames) {
    const { mac, mtu } = topology.ports[name];
    lines.push(`link set ${name} address ${mac} mtu ${mtu} up`);
  }
  for (const { port, prefix } of topology.addresses) {
    lines.push(`addr add ${prefix} dev ${port}${prefix.includes(':') ? ' nodad' : ''}`);
  }
  for (const { port, address, mac } of topology.neighbours) {
    lines.push(`neigh add ${address} lladdr ${mac} dev ${port} nud permanent`);
  }
  for (const { to, via, port } of topology.routes) {
    lines.push(`route add ${to}${via ? ` via ${via}` : ''} dev ${port}`);
  }
  for (const prefix of topology.locals) {
    lines.push(`route add local ${prefix} dev lo`);
  }
  return lines.map(line => `ip ${line}`);
}

// Numbers, as the machine has no /etc/protocols.
const protocolNumbers: Record<string, number> = { tcp: 6, udp: 17, sctp: 132 };

function markRule({ mark, protocol, destination, ports }: FirewallMark): string {
  const match = [`${destination.includes(':') ? 'ip6' : 'ip'} daddr ${destination}`];
  if (protocol) match.push(ports ? `${protocol} dport ${ports}` : `meta l4proto ${protocolNumbers[protocol]}`);
  return `add rule inet firewall prerouting ${match.join(' ')} meta mark set ${mark}`;
}

function firewallLines(marks: readonly FirewallMark[]): string[] {
  const chain = 'add chain inet firewall prerouting { type filter hook prerouting priority mangle ; }';
  const lines = marks.length === 0 ? [] : ['add table inet firewall', chain, ...marks.map(markRule)];
  return lines.map(line => `nft ${line}`);
}

function stepLines(step: Step, index: number): string[] {
  const at = `at ${step.timeNs}`;
  const mark = `step ${index}`;
  const { action } = step;
  switch (action.kind) {
    case 'frames':
      return [at, mark, ...action.frames.map(frame => `rx ${action.port} ${toHex(frame)}`)];
    case 'command':
      return [at, mark, `run ${action.command}`];
    case 'show':
      return [at, mark, `run ${showCommands[action.view]}`];
    case 'sysctl':
      return [at, mark, sysctlLine(action)];
    case 'wait':
      return [mark, at];
  }
}

export function planLines(scenario: Scenario): string[] {
  const { topology } = scenario;
  const ofDevices = topology.sysctls.filter(({ name }) => /\.[cs]0\./.test(name));
  const others = topology.sysctls.filter(sysctl => !ofDevices.includes(sysctl));
  return [
    `scenario ${scenario.name}`,
    ...others.map(sysctlLine),
    'devices',
    ...ipLines(topology),
    ...firewallLines(topology.marks),
    ...ofDevices.map(sysctlLine),
    'start',
    ...scenario.steps.flatMap(stepLines),
    'end',
  ];
}
