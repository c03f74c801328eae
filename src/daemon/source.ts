// SPDX-License-Identifier: Apache-2.0
// Where a running Sluice has its configuration from: a sluice.yaml, or ipvsadm's commands. Read anew for each reload.
import { readFileSync } from 'node:fs';
import { ConfigError, SystemError, UsageError } from '../core/errors.ts';
import { readRules } from '../director/ipvsadm/rules.ts';
import { parseRouteTable } from '../director/route-table.ts';
import { documentFormat, type Snapshot } from './document.ts';

export interface ConfigurationSource {
  /** A sluice.yaml. */
  readonly config?: string;
  /** Instead: ipvsadm commands, one a line. */
  readonly rules?: string;
  /** With rules: a net.yaml, whose ports name the devices, and whose marks count. Routes and neighbours are the host's own. */
  readonly net?: string;
}

/** Gives the text of a file. */
export type ReadText = (file: string) => string | Promise<string>;

/** Throws what is wrong, with file and line. */
export async function readSnapshot(
  { config, rules, net }: ConfigurationSource,
  textOf: ReadText = readText,
): Promise<Snapshot> {
  if (config !== undefined) return withSections(documentFormat.parse(await textOf(config), config), config);
  if (rules === undefined) throw new UsageError('nothing is configured', { remedy: 'give a sluice.yaml or rules' });
  const director = readRules(await textOf(rules), { file: rules });
  if (net === undefined) return documentFormat.snapshot({ director });
  const routeTable = parseRouteTable(await textOf(net), net);
  const ports = routeTable.ports.map(({ name }) => ({ name, device: name, type: 'packet' }) as const);
  return documentFormat.snapshot({ director: { ...director, ports, marks: routeTable.marks } });
}

// An editor may have been about to write the file. What runs must not end for that.
function withSections(snapshot: Snapshot, file: string): Snapshot {
  if (documentFormat.present(snapshot).length > 0) return snapshot;
  throw new ConfigError('SLUICE_CONFIG_INVALID', 'the document says nothing', {
    place: { file },
    remedy: `write a section: ${documentFormat.sections.map(({ key }) => key).join(', ')}; to end forwarding, end sluice`,
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw SystemError.from(error, 'cannot read the file', { place: { file } });
  }
}
