// SPDX-License-Identifier: Apache-2.0
// The toy plane, and how its process is run.
import { existsSync, rmSync } from 'node:fs';
import Type from 'typebox';
import { answering, parametersSchema, route } from '../../../src/core/api/route.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import type { Plane, PlanePart, Prepared } from '../../../src/core/plane.ts';
import type { PlaneRow } from '../../../src/daemon/composition.ts';
import { usualBackOff } from '../../../src/daemon/process-policy.ts';
import { type ToyModel, toySection } from './section.ts';

export const toyGreeting = route({
  method: 'GET',
  path: '/toy/greeting',
  summary: 'What the plane says',
  parameters: parametersSchema({}),
  answer: Type.Object({ greeting: Type.String(), pid: Type.Integer() }),
});

class ToyPlane implements Plane<ToyModel> {
  readonly name = toySection.key;
  greeting = '';
  #digest: string | undefined;

  async prepare({ model, digest }: PlanePart<ToyModel>): Promise<Prepared> {
    if (model.prepares === 'refuses') {
      throw new ConfigError('SLUICE_CONFIG_INVALID', 'the toy does not say that', { value: model.greeting });
    }
    if (model.prepares === 'hangs') return await new Promise<Prepared>(() => undefined);
    return {
      changes: [`it says ${model.greeting}`],
      commit: async () => {
        if (model.prepares === 'dies' && model.once !== undefined && existsSync(model.once)) {
          rmSync(model.once);
          process.kill(process.pid, 'SIGKILL');
        }
        this.greeting = model.greeting;
        this.#digest = digest;
      },
      abort: async () => undefined,
    };
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }
}

export const toyRow: PlaneRow = {
  policy: { name: toySection.key, standsBy: false, capabilities: [], runsPrograms: false, backOff: usualBackOff },
  prepare: () => undefined,
  create: () => {
    const plane = new ToyPlane();
    const answers = [answering(toyGreeting, () => ({ greeting: plane.greeting, pid: process.pid }))];
    return { plane, answers, close: () => undefined };
  },
};
