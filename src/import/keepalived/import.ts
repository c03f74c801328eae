// SPDX-License-Identifier: Apache-2.0
// Imports a configuration of keepalived: its lines (source.ts), its blocks (tree.ts), what they mean (virtual-server.ts,
// checkers.ts), and the same as a document (services.ts).
import { serviceKey } from '../../director/model.ts';
import { CheckNames } from '../check-names.ts';
import type { ImportedDocument, ImportedService } from '../document.ts';
import { Report, type SourcePlace } from '../report.ts';
import type { TrackFile } from './checkers.ts';
import type { SourceFiles } from './files.ts';
import { globalLost, keepalivedGrammar, outermostLost } from './keywords.ts';
import { writeServices } from './services.ts';
import { Source } from './source.ts';
import { type Node, readTree } from './tree.ts';
import { readTlsFiles, type TlsFiles } from './urls.ts';
import { shown, Values } from './values.ts';
import { type Matched, readGroup, readVirtualServer } from './virtual-server.ts';

export interface KeepalivedOptions {
  readonly files: SourceFiles;
  /** What keepalived's -i gives. */
  readonly id: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Imported {
  readonly document: ImportedDocument;
  readonly report: Report;
}

/** Throws a ConfigError for a file that asks for more than can be read, with the place. */
export function importKeepalived(file: string, options: KeepalivedOptions): Imported {
  const report = new Report();
  const nodes = readTree(new Source({ ...options, report }).statements(file), keepalivedGrammar, report);
  const values = new Values(report);
  const groups = new Map<string, Matched[]>();
  const trackFiles = new Map<string, TrackFile>();
  let tls: TlsFiles = {};
  let timeouts: ImportedDocument['timeouts'];
  // What blocks refer to may stand behind them.
  for (const node of nodes) {
    if (node.keyword === 'virtual_server_group') groups.set(node.words[0] ?? '', readGroup(node, values));
    else if (node.keyword === 'SSL') tls = { ...tls, ...readTlsFiles(node, values) };
    else if (node.keyword.endsWith('track_file')) readTrackFile(node, values, trackFiles);
    else if (node.keyword === 'global_defs') timeouts = readGlobals(node, values) ?? timeouts;
    else if (node.keyword !== 'virtual_server') listLost(node, report);
  }
  const names = new CheckNames();
  const context = { values, tls, trackFiles };
  const services = nodes
    .filter(({ keyword }) => keyword === 'virtual_server')
    .map(node => readVirtualServer(node, groups, context))
    .filter(read => read !== undefined)
    .flatMap(read => writeServices(read, names, values));
  const document = {
    checks: names.checks(),
    services: withoutDoubles(services, report),
    ...(timeouts === undefined ? {} : { timeouts }),
  };
  return { document, report };
}

// A block is one line of the report; the lines in it have the same answer.
function listLost(node: Node, report: Report): void {
  const remedy = outermostLost[node.keyword] ?? 'remove it';
  const inside = node.children.length + node.values.length;
  const lines = inside === 0 ? '' : ` and the ${inside} lines of its block`;
  report.lost(node.place, `${shown(node)}${lines}`, remedy);
  for (const { place } of node.values) report.covered(place);
}

function readTrackFile(node: Node, values: Values, trackFiles: Map<string, TrackFile>): void {
  const name = values.word(node);
  let path: string | undefined;
  let weight = 1;
  for (const child of node.children) {
    if (child.keyword === 'file') path = values.word(child);
    else if (child.keyword === 'weight') weight = values.number(child, -2_147_483_647) ?? weight;
    else values.lost(child, 'create the file before Sluice starts, for example by tmpfiles.d');
  }
  if (name === undefined) return;
  if (path === undefined) values.wrong(node, 'a track_file needs a file');
  else trackFiles.set(name, { path, weight });
}

function readGlobals(node: Node, values: Values): ImportedDocument['timeouts'] {
  values.report.carried(node.place);
  let timeouts: ImportedDocument['timeouts'];
  for (const child of node.children) {
    if (child.keyword === 'lvs_timeouts') timeouts = readTimeouts(child, values) ?? timeouts;
    else if (child.keyword === 'nftables_ipvs') {
      values.report.carried(child.place);
      values.report.explicit(
        child.place,
        'each address of a group is a service; keepalived makes one by a mark of nftables',
      );
    } else {
      values.lost(child, globalLost[child.keyword] ?? 'remove it');
      for (const { place } of child.values) values.report.covered(place);
    }
  }
  return timeouts;
}

const states = { tcp: ['tcp', 'established'], tcpfin: ['tcp', 'fin_wait'], udp: ['udp', 'normal'] } as const;

/** `lvs_timeouts tcp N tcpfin N udp N`, each of them if it is given. */
function readTimeouts(node: Node, values: Values): ImportedDocument['timeouts'] {
  const part: { tcp?: Record<string, number>; udp?: Record<string, number> } = {};
  values.report.carried(node.place);
  for (let at = 0; at < node.words.length; at += 2) {
    const [key = '', value = ''] = node.words.slice(at, at + 2);
    const seconds = /^\d{1,7}$/.test(value) ? Number(value) : 0;
    if (!Object.hasOwn(states, key) || seconds < 1 || seconds > 2_678_400) {
      values.wrong(node, `${key} ${value}: use tcp, tcpfin or udp with 1 to 2678400 seconds`);
      continue;
    }
    const [protocol, state] = states[key as keyof typeof states];
    part[protocol] = { ...part[protocol], [state]: seconds };
  }
  return Object.keys(part).length === 0 ? undefined : { part, place: node.place };
}

// IPVS has one service for each address: keepalived adds the servers of both blocks to it.
function withoutDoubles(services: readonly ImportedService[], report: Report): ImportedService[] {
  const seen = new Map<string, SourcePlace>();
  return services.filter(({ settings, place }) => {
    const key = keyOf(settings);
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, place);
      return true;
    }
    const remedy = `write its servers into the one of ${first.file}:${first.line}`;
    report.lost(place, `a second virtual server ${key}`, remedy);
    return false;
  });
}

function keyOf(settings: ImportedService['settings']): string {
  if (settings.mark !== undefined) {
    return serviceKey({ mark: settings.mark, family: settings.family === 'ipv6' ? 6 : 4 });
  }
  const protocol = (['tcp', 'udp', 'sctp'] as const).find(key => settings[key] !== undefined) ?? 'tcp';
  return `${protocol} ${settings[protocol]}`;
}
