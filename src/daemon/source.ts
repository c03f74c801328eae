// SPDX-License-Identifier: Apache-2.0
// Where a running Sluice has its configuration from: a sluice.yaml, or ipvsadm's commands. Read anew for each reload.
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { SystemError, UsageError } from '../core/errors.ts';
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

/** Throws what is wrong, with file and line. */
export function readSnapshot({ config, rules, net }: ConfigurationSource): Snapshot {
  if (config !== undefined) return documentFormat.parse(readText(config), config);
  if (rules === undefined) throw new UsageError('nothing is configured', { remedy: 'give a sluice.yaml or rules' });
  const director = readRules(readText(rules), { file: rules });
  if (net === undefined) return documentFormat.snapshot({ director });
  const routeTable = parseRouteTable(readText(net), net);
  const ports = routeTable.ports.map(({ name }) => ({ name, device: name, type: 'packet' }) as const);
  return documentFormat.snapshot({ director: { ...director, ports, marks: routeTable.marks } });
}

/**
 * The network devices to forward between where none is named: all that have an address, but the loopback. One of the
 * link alone is none: every device has it that is up, those that belong to a bridge too.
 */
export function defaultDevices(interfaces = networkInterfaces()): string[] {
  return Object.entries(interfaces)
    .filter(([, addresses]) => addresses?.some(({ internal, address }) => !internal && !isLinkLocal(address)))
    .map(([name]) => name);
}

/** fe80::/10 */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw SystemError.from(error, 'cannot read the file', { place: { file } });
  }
}
