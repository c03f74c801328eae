// SPDX-License-Identifier: Apache-2.0
// A plane in a process of its own, as control uses it: the contract of core/plane.ts over the plane's socket. The
// supervisor holds the listening end, so that a request waits while the process of the plane is replaced.
//
// A change of one service among thousands is sent as what is different from the part that the plane has confirmed last. A
// plane that runs by another one says so, and is sent the whole model.
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '../core/api/client.ts';
import type { ParametersOf } from '../core/api/route.ts';
import { difference } from '../core/config/edits.ts';
import type { Finding, Subject } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';
import { abortRoute, commitRoute, explainRoute, inForceRoute, prepareRoute } from './plane-api.ts';

type SentPart = ParametersOf<typeof prepareRoute>['part'];

export class RemotePlane implements Plane {
  readonly name: string;
  readonly #client: ApiClient;
  /** What the plane has confirmed last. */
  #inForce: PlanePart | undefined;

  constructor(name: string, client: ApiClient) {
    this.name = name;
    this.#client = client;
  }

  async prepare(part: PlanePart, signal: AbortSignal): Promise<Prepared> {
    const change = randomUUID();
    const changes =
      (await this.#sendEdits(change, part, signal)) ?? (await this.#send(change, { ...part }, signal)).changes;
    return {
      changes,
      commit: async () => {
        await this.#client.call(commitRoute, { change });
        this.#inForce = part;
      },
      abort: async () => {
        await this.#client.call(abortRoute, { change });
      },
    };
  }

  /** Undefined where the plane has to be sent the whole model. */
  async #sendEdits(change: string, part: PlanePart, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const base = this.#inForce;
    if (base === undefined) return undefined;
    const { id, digest, model } = part;
    const sent = { id, digest, base: base.digest, edits: difference(base.model, model) };
    const { changes, unknownBase } = await this.#send(change, sent, signal);
    return unknownBase ? undefined : changes;
  }

  async #send(change: string, part: SentPart, signal: AbortSignal) {
    return await this.#client.call(prepareRoute, { change, part }, { signal });
  }

  async inForce(signal?: AbortSignal): Promise<string | undefined> {
    return (await this.#client.call(inForceRoute, {}, signal === undefined ? {} : { signal })).digest;
  }

  async explain(subject: Subject, signal?: AbortSignal): Promise<readonly Finding[]> {
    return await this.#client.call(explainRoute, subject, given({ signal }));
  }
}
