// SPDX-License-Identifier: Apache-2.0
// The toy planes, and how their processes are run.
import { existsSync, rmSync, writeSync } from 'node:fs';
import Type from 'typebox';
import { answering, parametersSchema, route } from '../../../src/core/api/route.ts';
import { sha256 } from '../../../src/core/config/canonical.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { given } from '../../../src/core/given.ts';
import { family, metric } from '../../../src/core/metrics/family.ts';
import type { Plane, PlanePart, Prepared } from '../../../src/core/plane.ts';
import type { SecretContent } from '../../../src/core/secret-content.ts';
import type { PlaneEnvironment, PlaneRow } from '../../../src/daemon/composition.ts';
import { channelDescriptor } from '../../../src/daemon/descriptors.ts';
import { usualBackOff } from '../../../src/daemon/process-policy.ts';
import { otherSection, type ToyModel, toySection } from './section.ts';

const greetingRoute = (name: string) =>
  route({
    method: 'GET',
    path: `/${name}/greeting`,
    summary: 'What the plane says',
    parameters: parametersSchema({}),
    answer: Type.Object({
      greeting: Type.String(),
      pid: Type.Integer(),
      fingerprint: Type.Optional(Type.String({ description: 'A hash of the password' })),
    }),
  });

export const toyGreeting = greetingRoute(toySection.key);
export const otherGreeting = greetingRoute(otherSection.key);

class ToyPlane implements Plane<ToyModel> {
  readonly name: string;
  greeting = '';
  password: SecretContent | undefined;
  readonly #readSecret: PlaneEnvironment['readSecret'];
  #digest: string | undefined;

  constructor(name: string, { readSecret }: Pick<PlaneEnvironment, 'readSecret'>) {
    this.name = name;
    this.#readSecret = readSecret;
  }

  get fingerprint(): string | undefined {
    return this.password === undefined ? undefined : sha256(this.password.text);
  }

  async prepare({ model, digest }: PlanePart<ToyModel>): Promise<Prepared> {
    if (model.prepares === 'refuses') {
      throw new ConfigError('SLUICE_CONFIG_INVALID', 'the toy does not say that', { value: model.greeting });
    }
    if (model.prepares === 'hangs') return await new Promise<Prepared>(() => undefined);
    if (model.prepares === 'dies-preparing') process.kill(process.pid, 'SIGKILL');
    const password = model.password === undefined ? undefined : await this.#readSecret(model.password);
    return {
      changes: [`it says ${model.greeting}`],
      commit: async () => {
        if (model.once !== undefined && existsSync(model.once)) {
          rmSync(model.once);
          harm(model);
        }
        this.greeting = model.greeting;
        this.password = password;
        this.#digest = digest;
      },
      abort: async () => undefined,
    };
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }
}

function harm({ prepares, bytes = '' }: ToyModel): void {
  if (prepares === 'dies') process.kill(process.pid, 'SIGKILL');
  if (prepares === 'babbles') writeSync(channelDescriptor, Buffer.from(bytes, 'base64'));
  while (prepares === 'spins');
}

/** The other one has a process that stands by, and is given up after a few seconds of silence. */
function rowOf(name: string, isOther: boolean): PlaneRow {
  return {
    policy: {
      name,
      standsBy: isOther,
      capabilities: [],
      programs: 'none',
      backOff: usualBackOff,
      hangMilliseconds: isOther ? 5000 : 60_000,
    },
    runsByDefault: false,
    prepare: () => undefined,
    create: environment => {
      const greetings = family({
        name: `sluice_${name}_greeting`,
        type: 'info',
        help: 'What it says',
        labels: ['text'],
      });
      const plane = new ToyPlane(name, environment);
      const answers = [
        answering(greetingRoute(name), () => ({
          greeting: plane.greeting,
          pid: process.pid,
          ...given({ fingerprint: plane.fingerprint }),
        })),
      ];
      const metrics = () => [metric(greetings, [{ labels: [plane.greeting], value: 1 }])];
      return { plane, answers, metrics, close: () => undefined };
    },
  };
}

export const toyRow = rowOf(toySection.key, false);
export const otherRow = rowOf(otherSection.key, true);
