// SPDX-License-Identifier: Apache-2.0
// Ports are called by the names that the configuration gives them, or by their network devices. Names come first: several
// ports may share a device, each with a VLAN of its own.
import { UsageError } from '../core/errors.ts';

interface NamedPort {
  readonly name: string;
  readonly device: string;
}

/** The number of the port that a person means. Throws a UsageError with all there are. */
export function portNumber(ports: readonly NamedPort[], word: string): number {
  const named = ports.findIndex(({ name }) => name === word);
  const number = named < 0 ? ports.findIndex(({ device }) => device === word) : named;
  if (number >= 0) return number;
  throw new UsageError('there is no such device', {
    value: word,
    remedy: `use one of ${ports.map(({ name }) => name).join(', ')}`,
  });
}
