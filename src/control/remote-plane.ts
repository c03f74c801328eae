// SPDX-License-Identifier: Apache-2.0
// A plane in a process of its own, as control uses it: the contract of core/plane.ts over the plane's socket. The
// supervisor holds the listening end, so that a request waits while the process of the plane is replaced.
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '../core/api/client.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';
import { abortRoute, commitRoute, inForceRoute, prepareRoute } from './plane-api.ts';

export class RemotePlane implements Plane {
  readonly name: string;
  readonly #client: ApiClient;

  constructor(name: string, client: ApiClient) {
    this.name = name;
    this.#client = client;
  }

  async prepare(part: PlanePart, signal: AbortSignal): Promise<Prepared> {
    const change = randomUUID();
    const { changes } = await this.#client.call(prepareRoute, { change, part: { ...part } }, { signal });
    return {
      changes,
      commit: async () => {
        await this.#client.call(commitRoute, { change });
      },
      abort: async () => {
        await this.#client.call(abortRoute, { change });
      },
    };
  }

  async inForce(signal?: AbortSignal): Promise<string | undefined> {
    return (await this.#client.call(inForceRoute, {}, signal === undefined ? {} : { signal })).digest;
  }
}
