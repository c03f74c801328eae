// SPDX-License-Identifier: Apache-2.0

/** What a real server says about a request: who serves it, and from where it came. */
export interface Service {
  readonly server: string;
  readonly client: string;
  readonly port: number;
}
