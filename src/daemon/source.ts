// SPDX-License-Identifier: Apache-2.0
// Where a running Sluice has its configuration from: a sluice.yaml, or ipvsadm's commands, read anew for each reload; or
// its history.
import { lastDocument } from '../control/history/journal.ts';
import type { DocumentFiles } from '../core/config/includes.ts';
import { ConfigError } from '../core/errors.ts';
import { readRules } from '../director/ipvsadm/rules.ts';
import { parseRouteTable } from '../director/route-table.ts';
import { documentFormat, type Snapshot } from './document.ts';
import { stateFolders } from './state-folder.ts';

export interface ConfigurationSource {
  /** A sluice.yaml. */
  readonly config?: string;
  /** Instead: ipvsadm commands, one a line. */
  readonly rules?: string;
  /** With rules: a net.yaml, whose ports name the devices, and whose marks count. Routes and neighbours are the host's own. */
  readonly net?: string;
}

/** Reads the files of a configuration: LocalFiles in the process itself, the supervisor for control. */
export type SourceFiles = DocumentFiles;

/** Throws what is wrong, with file and line. */
export async function readSnapshot({ config, rules, net }: ConfigurationSource, files: SourceFiles): Promise<Snapshot> {
  if (config !== undefined) return withSections(await documentFormat.load(config, files), config);
  if (rules === undefined) return documentFormat.snapshot({});
  const director = readRules((await files.read(rules)).text, { file: rules });
  if (net === undefined) return documentFormat.snapshot({ director });
  const routeTable = parseRouteTable((await files.read(net)).text, net);
  const ports = routeTable.ports.map(({ name }) => ({ name, device: name, type: 'packet' }) as const);
  return documentFormat.snapshot({ director: { ...director, ports, marks: routeTable.marks } });
}

/** The snapshot that was in force last, of a Sluice with this state folder; an empty one where there was none. */
export async function lastSnapshot(stateFolder: string): Promise<Snapshot> {
  const document = await lastDocument(stateFolders(stateFolder).history);
  return document === undefined ? documentFormat.snapshot({}) : documentFormat.from(document);
}

// An editor may have been about to write the file. What runs must not end for that.
function withSections(snapshot: Snapshot, file: string): Snapshot {
  if (documentFormat.present(snapshot).length > 0) return snapshot;
  throw new ConfigError('SLUICE_CONFIG_INVALID', 'the document says nothing', {
    place: { file },
    remedy: `write a section: ${documentFormat.sections.map(({ key }) => key).join(', ')}; to end forwarding, end sluice`,
  });
}
