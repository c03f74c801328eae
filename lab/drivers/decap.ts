// SPDX-License-Identifier: Apache-2.0
// `sluice decap`: what takes packets out of their tunnels on a real server.
import { join } from 'node:path';
import type { ServiceDescription } from '../topology/description.ts';

/** `sluice`, as it was built. */
export const sluiceCommand = [process.execPath, join(import.meta.dirname, '../../dist/cli/main.js')] as const;

/** The host has these addresses, with prefix lengths, while the agent runs. */
export function decapAgent(addresses: readonly string[]): ServiceDescription {
  return {
    name: 'decap',
    command: [...sluiceCommand, 'decap', ...addresses.flatMap(address => ['--address', address])],
    ready: { prints: '"msg":"ready"' },
  };
}
