// SPDX-License-Identifier: Apache-2.0
import type { ServiceDescription } from '../topology/description.ts';
import { nodeProgram } from './node-program.ts';

/** lab/programs/server.ts as a service of the host `name`. It answers UDP on these addresses. */
export function realServer(name: string, udpAddresses: readonly string[]): ServiceDescription {
  return { name: 'server', command: nodeProgram('server', name, ...udpAddresses), ready: { prints: 'ready' } };
}
