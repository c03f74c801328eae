// SPDX-License-Identifier: Apache-2.0
// What the balancer costs while little happens. Figures are noted; what is demanded of them leaves room for a busy machine.
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '../topology/host.ts';
import { patient } from '../topology/patience.ts';
import { clientAddress, publicAddress, serverAddress } from './addresses.ts';
import { service } from './modes.ts';
import { expect, type Scenario } from './scenario.ts';
import { twoArms } from './topologies.ts';

const settlingMilliseconds = 3000;
/** Long beside a tick of the kernel's accounting: 1 % of a core are three ticks. */
const idleSeconds = 3;
const mostIdlePercent = 5;

const rounds = 5;
const mostTimesSlower = 4;

/** The shortest round trip, in milliseconds: what a busy machine adds to others is not the balancer's. */
async function ping(from: Host): Promise<number> {
  const printed = await from.must(['ping', '-q', '-c', '50', '-i', '0.01', clientAddress.ipv4]);
  return Number(/= ([\d.]+)\//.exec(printed)?.[1]);
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export const costScenarios: readonly Scenario[] = [
  {
    name: 'idle',
    title: 'a balancer without traffic sleeps',
    topology: twoArms(),
    forwarding: { services: [service('tcp', 'ipv4', 'nat')] },
    needs: ['process'],
    async play({ balancer, note }) {
      // The process that stands by loads its code first.
      await delay(patient(settlingMilliseconds));
      const before = balancer.process?.cpuSeconds() ?? 0;
      await delay(idleSeconds * 1000);
      const percent = (100 * ((balancer.process?.cpuSeconds() ?? 0) - before)) / idleSeconds;
      note(`${percent.toFixed(1)} % of a core`);
      expect(percent <= mostIdlePercent, `without traffic it takes ${percent.toFixed(1)} % of a core`);
    },
  },
  {
    name: 'latency',
    title: 'a ping through an otherwise idle balancer takes about as long as through the forwarding of the kernel',
    topology: twoArms(),
    // r2's packets are no business of the balancer: the kernel of the same host forwards them.
    forwarding: {
      services: [],
      sourceNat: { inside: `${serverAddress('ipv4', 1)}/32`, address: publicAddress },
    },
    needs: ['snat'],
    async play({ host, note }) {
      const [through, beside]: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        through.push(await ping(host('r1')));
        beside.push(await ping(host('r2')));
      }
      const [balancer, kernel] = [median(through), median(beside)];
      const ratio = balancer / kernel;
      note(`${balancer.toFixed(3)} ms, the kernel ${kernel.toFixed(3)} ms: ${ratio.toFixed(1)} times`);
      expect(ratio <= mostTimesSlower, `a ping takes ${ratio.toFixed(1)} times as long`);
    },
  },
];
