// SPDX-License-Identifier: Apache-2.0
// Sluice's director as the subject of a comparison with the kernel.

import { Director } from '../../src/lvs/director.ts';
import type { ConnectionRow } from '../../src/lvs/ipvsadm/listing.ts';
import { formatConnections, formatServices, formatTimeouts } from '../../src/lvs/ipvsadm/listing.ts';
import { applyLine } from '../../src/lvs/ipvsadm/rules.ts';
import { formatRules } from '../../src/lvs/ipvsadm/save.ts';
import { ServiceTable } from '../../src/lvs/ipvsadm/table.ts';
import { systemPortNames } from '../../src/lvs/ipvsadm/values.ts';
import { emptyLayer4, type Layer4, type Switches } from '../../src/lvs/model.ts';
import { surroundingsFrom } from '../../src/lvs/surroundings.ts';
import { markOf } from './firewall-mark.ts';
import type { PortName, ShowView, Surroundings } from './scenario.ts';
import type { MakeSubject, Subject, SubjectFrame } from './subject.ts';

const switchPrefix = 'net.ipv4.vs.';

export class SluiceSubject implements Subject {
  readonly #surroundings: Surroundings;
  readonly #director: Director;
  readonly #ports = systemPortNames();
  #model: Layer4 = emptyLayer4;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#director = new Director({ surroundings: surroundingsFrom(netDocument(surroundings)), limitIcmp: false });
    for (const { name, value } of surroundings.sysctls) this.sysctl(name, value);
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
    const mark = markOf(frame, this.#surroundings.marks);
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

  #apply(model: Layer4): void {
    this.#model = model;
    this.#director.apply(model);
  }
}

export const makeSubject: MakeSubject = surroundings => new SluiceSubject(surroundings);

// The scenario's surroundings in the words of `sluice replay --net`.
function netDocument(surroundings: Surroundings): unknown {
  const ports = Object.fromEntries(
    Object.entries(surroundings.ports).map(([name, { mac, mtu }]) => {
      const addresses = surroundings.addresses.filter(({ port }) => port === name).map(({ prefix }) => prefix);
      return [name, { mac, mtu, addresses }];
    }),
  );
  const neighbours = Object.fromEntries(
    surroundings.neighbours.map(({ address, mac, port }) => [address, { mac, port }]),
  );
  const routes = surroundings.routes.map(({ to, via, port }) => ({ to, ...(via === undefined ? {} : { via }), port }));
  return { ports, neighbours, routes };
}
