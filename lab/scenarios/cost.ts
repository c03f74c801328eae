// SPDX-License-Identifier: Apache-2.0
// What the balancer costs with little traffic. The limits of the figures leave room for a busy machine.
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '../topology/host.ts';
import { scaled } from '../topology/time-scale.ts';
import { clientAddress, publicAddress, serverAddress } from './addresses.ts';
import { service } from './modes.ts';
import { expect, type Scenario } from './scenario.ts';
import { twoArms } from './topologies.ts';

const settlingMilliseconds = 3000;
/** Long compared with a tick of the kernel's accounting (10 ms): 1 % of a core is three ticks. */
const idleSeconds = 3;
const mostIdlePercent = 5;

const rounds = 5;
/** Wide: the kernel's own time was 0.045 to 0.085 ms in runs one after another. A wait of a millisecond would show. */
const mostTimesSlower = 10;

/** The shortest round trip, in milliseconds. A busy machine delays others; the balancer is not the cause of that. */
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
      // The standby process loads its code first.
      await delay(scaled(settlingMilliseconds));
      const before = balancer.process?.cpuSeconds() ?? 0;
      await delay(idleSeconds * 1000);
      const percent = (100 * ((balancer.process?.cpuSeconds() ?? 0) - before)) / idleSeconds;
      note(`${percent.toFixed(1)} % of a core`);
      expect(percent <= mostIdlePercent, `without traffic it takes ${percent.toFixed(1)} % of a core`);
    },
  },
  {
    name: 'latency',
    title: 'a ping through an idle balancer takes at most ten times as long as through the forwarding of the kernel',
    topology: twoArms(),
    // The balancer takes only r1's packets. The kernel of the same host forwards r2's.
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
