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
import { markOf } from './firewall-mark.ts';
import type { PortName, RouteTable, ShowView } from './scenario.ts';
import type { MakeSubject, Subject, SubjectFrame } from './subject.ts';

const switchPrefix = 'net.ipv4.vs.';

export class SluiceSubject implements Subject {
  readonly #routeTable: RouteTable;
  readonly #director: Director;
  readonly #ports = systemPortNames();
  #model: DirectorModel = emptyDirectorModel;

  constructor(routeTable: RouteTable) {
    this.#routeTable = routeTable;
    this.#director = new Director({ routeTable: routeTableFrom(netDocument(routeTable)), limitIcmp: false });
    for (const { name, value } of routeTable.sysctls) this.sysctl(name, value);
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

  receive(port: PortName, frame: Uint8Array, timeNs: bigint): readonly SubjectFrame[] {
    const mark = markOf(frame, this.#routeTable.marks);
    const { out } = this.#director.receive(port, frame, timeNs, { mark });
    return out.map(sent => ({ port: sent.port as PortName, frame: sent.frame }));
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

export const makeSubject: MakeSubject = routeTable => new SluiceSubject(routeTable);

// The scenario's route table in the words of `sluice replay --net`.
function netDocument(routeTable: RouteTable): unknown {
  const ports = Object.fromEntries(
    Object.entries(routeTable.ports).map(([name, { mac, mtu }]) => {
      const addresses = routeTable.addresses.filter(({ port }) => port === name).map(({ prefix }) => prefix);
      return [name, { mac, mtu, addresses }];
    }),
  );
  const neighbours = Object.fromEntries(
    routeTable.neighbours.map(({ address, mac, port }) => [address, { mac, port }]),
  );
  const routes = routeTable.routes.map(({ to, via, port }) => ({ to, ...(via === undefined ? {} : { via }), port }));
  return { ports, neighbours, routes };
}
