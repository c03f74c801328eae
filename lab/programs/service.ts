// SPDX-License-Identifier: Apache-2.0

/** What a real server says about a request: its own name, and the client's address and port. */
export interface Service {
  readonly server: string;
  readonly client: string;
  readonly port: number;
}
