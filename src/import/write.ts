// SPDX-License-Identifier: Apache-2.0
// Writes what was imported as a sluice.yaml, with a comment at each part that names the line it came from.
import { basename } from 'node:path';
import { Document, isCollection, isMap, isSeq, type Node, type Pair, Scalar } from 'yaml';
import { byText } from '../core/config/canonical.ts';
import { formatPlace } from '../core/errors.ts';
import type { ImportedDocument, ImportedService } from './document.ts';
import type { SourcePlace } from './report.ts';

/** The comment before the document, one line each. */
export function documentText(imported: ImportedDocument, introduction: readonly string[]): string {
  const { checks, services, timeouts } = imported;
  const names = [...checks.keys()].sort(byText);
  const document = new Document({
    ...(names.length === 0
      ? {}
      : { health: { checks: Object.fromEntries(names.map(name => [name, checks.get(name)?.part])) } }),
    director: {
      ...(services.length === 0 ? {} : { services: services.map(plainService) }),
      ...(timeouts === undefined ? {} : { timeouts: timeouts.part }),
    },
  });
  for (const name of names) markPair(document, ['health', 'checks', name], checks.get(name)?.place);
  for (const [index, service] of services.entries()) markService(document, index, service);
  markPair(document, ['director', 'timeouts'], timeouts?.place);
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  return `${introduction.map(line => `# ${line}\n`).join('')}${text}`;
}

function plainService({ settings, servers }: ImportedService): object {
  return { ...settings, ...(servers.length === 0 ? {} : { servers: servers.map(({ part }) => part) }) };
}

function markService(document: Document, index: number, { place, servers }: ImportedService): void {
  const path = ['director', 'services', index];
  const node = document.getIn(path, true);
  if (isMap(node)) node.commentBefore = commentOf(place);
  flow(document, [...path, 'flags']);
  flow(document, [...path, 'persistence']);
  flow(document, [...path, 'health', 'checks']);
  flow(document, [...path, 'health', 'sorry']);
  for (const [at, server] of servers.entries()) {
    const item = document.getIn([...path, 'servers', at], true) as Node | undefined;
    if (item === undefined) continue;
    if (isCollection(item)) item.flow = true;
    item.comment = commentOf(server.place);
  }
}

// A comment before a key: where the key is a map, its values are written on lines of their own.
function markPair(document: Document, path: readonly string[], place: SourcePlace | undefined): void {
  const parent = document.getIn(path.slice(0, -1), true);
  if (place === undefined || !isMap(parent)) return;
  const pair = parent.items.find(item => keyText(item) === path.at(-1));
  if (pair === undefined) return;
  const key = pair.key instanceof Scalar ? pair.key : new Scalar(keyText(pair));
  key.commentBefore = commentOf(place);
  pair.key = key;
  if (isMap(pair.value)) {
    for (const { value } of pair.value.items) if (isMap(value) || isSeq(value)) value.flow = true;
  }
}

function keyText({ key }: Pair): string {
  return key instanceof Scalar ? String(key.value) : String(key);
}

function flow(document: Document, path: readonly (string | number)[]): void {
  const node = document.getIn(path, true);
  if (isCollection(node)) node.flow = true;
}

function commentOf({ file, line }: SourcePlace): string {
  return ` ${formatPlace({ file: basename(file), line })}`;
}
