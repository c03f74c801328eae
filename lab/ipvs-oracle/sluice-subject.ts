// SPDX-License-Identifier: Apache-2.0
// Sluice's director as the subject of a comparison with the kernel.

import { Director } from '../../src/daemon/director.ts';
import type { ConnectionRow } from '../../src/director/ipvsadm/listing.ts';
import { formatConnections, formatServices, formatTimeouts } from '../../src/director/ipvsadm/listing.ts';
import { applyLine } from '../../src/director/ipvsadm/rules.ts';
import { formatRules } from '../../src/director/ipvsadm/save.ts';
import { ServiceTable } from '../../src/director/ipvsadm/table.ts';
import { systemPortNames } from '../../src/director/ipvsadm/values.ts';
import { type DirectorModel, emptyDirectorModel, type Switches } from '../../src/director/model.ts';
import { routeTableFrom } from '../../src/director/route-table.ts';
import { hostPort } from '../../src/director/verdict.ts';
import { etherType, formatAddress, protocol, view } from '../../src/wire/ip-packet.ts';
import { markOf } from './firewall-mark.ts';
import type { PortName, ScenarioTopology, ShowView } from './scenario.ts';
import type { MakeSubject, Subject, SubjectFrame, SubjectReceived } from './subject.ts';

const switchPrefix = 'net.ipv4.vs.';
const icmpLimit = 'net.ipv4.icmp_ratelimit';

export class SluiceSubject implements Subject {
  readonly #topology: ScenarioTopology;
  readonly #director: Director;
  readonly #ports = systemPortNames();
  #model: DirectorModel = emptyDirectorModel;

  constructor(topology: ScenarioTopology) {
    this.#topology = topology;
    const limitIcmp = topology.sysctls.findLast(({ name }) => name === icmpLimit)?.value !== '0';
    this.#director = new Director({ routeTable: routeTableFrom(netDocument(topology)), limitIcmp });
    for (const { name, value } of topology.sysctls) this.sysctl(name, value);
  }

  command(line: string): boolean {
    const table = new ServiceTable(this.#model);
    if (applyLine(table, line, this.#ports) !== undefined) return false;
    this.#apply(table.model());
    if (/(^|\s)(-Z|--zero)(\s|$)/.test(line)) this.#director.zeroCounters();
    return true;
  }

  sysctl(name: string, value: string): void {
    if (!name.startsWith(switchPrefix)) return;
    const key = name.slice(switchPrefix.length) as keyof Switches;
    const before = this.#model.switches[key];
    if (before === undefined) return;
    const after = typeof before === 'boolean' ? value !== '0' : Number(value);
    this.#apply({ ...this.#model, switches: { ...this.#model.switches, [key]: after } });
  }

  receive(port: PortName, frame: Uint8Array, timeNs: bigint): SubjectReceived {
    const mark = markOf(frame, this.#topology.marks);
    const { verdict, out } = this.#director.receive(port, frame, timeNs, { mark });
    const forOthers = out.filter(sent => sent.port !== hostPort);
    return {
      frames: forOthers.map(sent => ({ port: sent.port as PortName, frame: sent.frame })),
      isHosts: verdict === 'deliver' || (verdict === 'pass' && mark === 0 && this.#isHosts(frame)),
    };
  }

  // Whether ingress leaves the frame to the host: its destination is no virtual address, or the host has that address, too,
  // and no service has the port.
  #isHosts(frame: Uint8Array): boolean {
    const destination = destinationOf(frame);
    if (destination === undefined) return false;
    const there = this.#model.services.filter(
      ({ identity }) => 'address' in identity && identity.address === destination.address,
    );
    if (there.length === 0) return true;
    return (
      this.#topology.isShared &&
      !there.some(
        ({ identity }) =>
          'address' in identity &&
          protocol[identity.protocol] === destination.protocol &&
          (identity.port === 0 || identity.port === destination.port),
      )
    );
  }

  advance(timeNs: bigint): readonly SubjectFrame[] {
    return this.#director.advance(timeNs).map(({ port, frame }) => ({ port: port as PortName, frame }));
  }

  show(view: ShowView, timeNs: bigint): string {
    const { tcp, udp } = this.#model.timeouts;
    switch (view) {
      case 'connections':
        return formatConnections(this.#director.connections(timeNs) satisfies ConnectionRow[]);
      case 'services':
        return formatServices(this.#director.services());
      case 'stats':
        return formatServices(this.#director.services(), { format: 'stats' });
      case 'thresholds':
        return formatServices(this.#director.services(), { format: 'thresholds' });
      case 'persistence':
        return formatServices(this.#director.services(), { format: 'persistent-conn' });
      case 'timeouts':
        return formatTimeouts(tcp.established, tcp.fin_wait, udp.normal);
      case 'rules':
        return formatRules(this.#model).text;
    }
  }

  #apply(model: DirectorModel): void {
    this.#model = model;
    this.#director.apply(model);
  }
}

export const makeSubject: MakeSubject = topology => new SluiceSubject(topology);

function isVirtual(prefix: string): boolean {
  return prefix.endsWith(prefix.includes(':') ? '/128' : '/32');
}

function destinationOf(frame: Uint8Array): { address: string; protocol: number; port: number } | undefined {
  const ethernetLength = 14;
  const type = frame.length < ethernetLength + 20 ? 0 : view(frame).getUint16(12);
  const isIpv4 = type === etherType.ipv4;
  if (!isIpv4 && (type !== etherType.ipv6 || frame.length < ethernetLength + 40)) return undefined;
  const packet = frame.subarray(ethernetLength);
  const transport = isIpv4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
  return {
    address: formatAddress(isIpv4 ? packet.subarray(16, 20) : packet.subarray(24, 40)),
    protocol: packet[isIpv4 ? 9 : 6] ?? 0,
    port: packet.length >= transport + 4 ? view(packet).getUint16(transport + 2) : 0,
  };
}

// The scenario's topology as the document that `sluice replay --net` takes.
function netDocument(topology: ScenarioTopology): unknown {
  const ports = Object.fromEntries(
    Object.entries(topology.ports).map(([name, { mac, mtu }]) => {
      const addresses = topology.addresses
        .filter(({ port, prefix }) => port === name && (topology.isShared || !isVirtual(prefix)))
        .map(({ prefix }) => prefix);
      return [name, { mac, mtu, addresses }];
    }),
  );
  const neighbours = Object.fromEntries(topology.neighbours.map(({ address, mac, port }) => [address, { mac, port }]));
  const routes = topology.routes.map(({ to, via, port }) => ({ to, ...(via === undefined ? {} : { via }), port }));
  return { ports, neighbours, routes };
}
