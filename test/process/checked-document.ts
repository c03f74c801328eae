// SPDX-License-Identifier: Apache-2.0
import { virtual } from './running-sluice.ts';

export const checkedServer = '10.2.0.2:8080';

export interface Checked {
  /** What the check asks for. */
  readonly path?: string;
  readonly servers?: string;
  /** Other settings of the service's checks. */
  readonly health?: string;
}

/** A document with one service whose servers are checked five times a second. */
export function checkedDocument({
  path = '/',
  servers = checkedServer,
  health = 'none_up: none',
}: Checked = {}): string {
  return `
health:
  checks:
    web: { http: ${path}, interval: 0.2, rise: 1, fall: 1 }
director:
  services:
    - tcp: ${virtual}:80
      scheduler: rr
      health: { checks: [web], ${health} }
      servers: [${servers}]
`;
}
