// SPDX-License-Identifier: Apache-2.0
// `sluice decap`: takes packets out of their tunnels on a real server.
import { join } from 'node:path';
import type { ServiceDescription } from '../topology/description.ts';

/** The built `sluice`. */
export const sluiceCommand = [process.execPath, join(import.meta.dirname, '../../dist/cli/main.js')] as const;

/** The agent gives the host these addresses, with prefix lengths, while it runs. */
export function decapAgent(addresses: readonly string[]): ServiceDescription {
  return {
    name: 'decap',
    command: [...sluiceCommand, 'decap', ...addresses.flatMap(address => ['--address', address])],
    ready: { prints: '"msg":"ready"' },
  };
}
