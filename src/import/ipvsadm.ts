// SPDX-License-Identifier: Apache-2.0
// Imports ipvsadm's commands, one a line, as `ipvsadm -S` writes them and `ipvsadm -R` reads them. Without -n, `ipvsadm -S`
// writes names of hosts: they are looked up as ipvsadm does.

import { type Command, parseCommand } from '../director/ipvsadm/grammar.ts';
import { ServiceTable } from '../director/ipvsadm/table.ts';
import { CommandFault, splitLine } from '../director/ipvsadm/tokens.ts';
import { type PortNames, systemPortNames } from '../director/ipvsadm/values.ts';
import { emptyDirectorModel, serverKey, serviceKey } from '../director/model.ts';
import { writeDirectorModel } from '../director/write.ts';
import type { ImportedDocument, ImportedService } from './document.ts';
import type { Imported } from './keepalived/import.ts';
import { Report, type SourcePlace } from './report.ts';

/** The IPv4 address of a host; undefined where there is none. */
export type LookUp = (host: string) => Promise<string | undefined>;

export interface IpvsadmOptions {
  readonly lookUp: LookUp;
  readonly portNames?: PortNames;
}

/** More names than one table has hosts. */
const mostNames = 1000;

export async function importIpvsadm(text: string, file: string, options: IpvsadmOptions): Promise<Imported> {
  const report = new Report();
  const reader = new RulesReader(report, options.portNames ?? systemPortNames());
  const resolver = new HostNames(report, options.lookUp);
  for (const [index, line] of text.split('\n').entries()) {
    const place = { file, line: index + 1 };
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    reader.read(await resolver.resolved(line, place), place);
  }
  return { document: reader.document(), report };
}

const addressOption =
  /(^|\s)(-[tur]|--(?:tcp|udp|sctp)-service|--real-server)([ \t=]+)([A-Za-z][A-Za-z0-9._-]*)(?=:|\s|$)/g;

class HostNames {
  readonly #report: Report;
  readonly #lookUp: LookUp;
  readonly #known = new Map<string, string | undefined>();

  constructor(report: Report, lookUp: LookUp) {
    this.#report = report;
    this.#lookUp = lookUp;
  }

  /** The line with addresses in place of names. A name without an address stays, and is refused as a name. */
  async resolved(line: string, place: SourcePlace): Promise<string> {
    const hosts = [...line.matchAll(addressOption)].map(([, , , , host = '']) => host);
    for (const host of hosts) {
      if (!this.#known.has(host) && this.#known.size < mostNames) this.#known.set(host, await this.#lookUp(host));
      const address = this.#known.get(host);
      if (address !== undefined) this.#report.explicit(place, `${host} is ${address}, as it was looked up now`);
    }
    return line.replaceAll(addressOption, (_all, before, option, between, host) => {
      return `${before}${option}${between}${this.#known.get(host) ?? host}`;
    });
  }
}

class RulesReader {
  readonly #report: Report;
  readonly #portNames: PortNames;
  readonly #table = new ServiceTable(emptyDirectorModel);
  readonly #places = new Map<string, SourcePlace>();
  #timeouts: SourcePlace | undefined;

  constructor(report: Report, portNames: PortNames) {
    this.#report = report;
    this.#portNames = portNames;
  }

  read(line: string, place: SourcePlace): void {
    const tokens = splitLine(line).filter(({ text }, index) => index > 0 || text !== 'ipvsadm');
    if (tokens.length === 0) return;
    try {
      this.#apply(parseCommand(tokens, { port: this.#portNames }), line.trim(), place);
    } catch (fault) {
      if (!(fault instanceof CommandFault)) throw fault;
      this.#report.lost(place, `${line.trim()}: ${fault.message}`, fault.remedy);
    }
  }

  #apply(command: Command, line: string, place: SourcePlace): void {
    switch (command.kind) {
      case 'list':
      case 'save':
      case 'restore':
      case 'help':
      case 'version':
      case 'zero':
        this.#report.ignored(place, `${line}: it changes nothing that a document says`);
        return;
      case 'start-daemon':
      case 'stop-daemon':
        this.#report.lost(place, line, 'connections are not synchronised between hosts yet: a failover ends them');
        return;
    }
    const refusal = this.#table.apply(command);
    if (refusal !== undefined) {
      this.#report.ignored(place, `${line}: ${refusal.problem}, as the kernel answers`);
      return;
    }
    this.#report.carried(place);
    if (command.kind === 'set') this.#timeouts = place;
    if (!('identity' in command)) return;
    const service = serviceKey(command.identity);
    this.#places.set('server' in command ? `${service} ${serverKey(command.server)}` : service, place);
  }

  document(): ImportedDocument {
    const model = this.#table.model();
    const written = writeDirectorModel(model);
    const services = model.services.map((service, index): ImportedService => {
      const { servers = [], ...settings } = written?.services?.[index] ?? {};
      const key = serviceKey(service.identity);
      const parts = servers.map((part, at) => {
        const server = service.servers[at];
        return { part, place: this.#placeOf(server === undefined ? key : `${key} ${serverKey(server)}`) };
      });
      return { settings, place: this.#placeOf(key), servers: parts };
    });
    const timeouts = written?.timeouts;
    const place = this.#timeouts;
    return {
      checks: new Map(),
      services,
      ...(timeouts === undefined || place === undefined ? {} : { timeouts: { part: timeouts, place } }),
    };
  }

  #placeOf(key: string): SourcePlace {
    return this.#places.get(key) ?? { file: '', line: 1 };
  }
}
