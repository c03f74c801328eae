// SPDX-License-Identifier: Apache-2.0
// kill -9 of control or of a plane at any moment of a change, a thousand times: afterwards both planes run by the snapshot
// before or both by the one after, which is also the last of the history. Several toys (docs/adding-a-plane.md) at once.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { controlApply, controlHistory } from '../../src/control/api.ts';
import { describeAsRoot } from '../privileges.ts';
import { patience, RunningToy } from '../process/toy-plane/running-toy.ts';

const toys = 4;
const killsEach = 250;
/** A process that lives for less is started again later. */
const shortLifeMilliseconds = 1100;
/** A change takes some twenty. */
const longestWaitMilliseconds = 40;
const hour = 3_600_000;

const greet = (number: number) => ({ toy: { greeting: `${number}` }, other: { greeting: `${number}` } });
const running: RunningToy[] = [];

afterAll(async () => {
  await Promise.all(running.map(toy => toy.stop()));
}, patience);

describeAsRoot('kill -9 in a change', () => {
  it(
    'leaves the snapshot before or the one after, on all planes and on disk',
    async () => {
      const outcomes = { after: 0, before: 0 };
      await Promise.all(Array.from({ length: toys }, () => killAgainAndAgain(outcomes)));
      // Otherwise no kill was in the middle of a change.
      expect(Math.min(outcomes.after, outcomes.before)).toBeGreaterThan(killsEach / 10);
    },
    hour,
  );
});

async function killAgainAndAgain(outcomes: { after: number; before: number }): Promise<void> {
  const toy = new RunningToy("toy: { greeting: '0' }\nother: { greeting: '0' }\n");
  running.push(toy);
  await toy.ready();
  let inForce = 0;
  for (let number = 1; number <= killsEach; number++) {
    await delay(shortLifeMilliseconds);
    const victim = ['control', 'toy', 'other'][Math.floor(Math.random() * 3)] ?? 'control';
    const pid = await toy.pid(victim);
    const applied = toy.client.call(controlApply, { document: greet(number) }).then(
      () => true,
      () => false,
    );
    await delay(Math.random() * longestWaitMilliseconds);
    process.kill(pid, 'SIGKILL');
    const isAnswered = await applied;
    await toy.replaced(victim, pid);
    const said = await settled(toy);
    const context = JSON.stringify({ number, victim, isAnswered, inForce });
    expect(isAnswered ? [number] : [number, inForce], context).toContain(said);
    outcomes[said === number ? 'after' : 'before']++;
    inForce = said;
    await expectInHistory(toy);
  }
}

/** The number that both planes say. A plane that is behind catches up. */
async function settled(toy: RunningToy): Promise<number> {
  let said: (string | undefined)[] = [];
  await until('both planes say the same', patience, async () => {
    said = [(await toy.says())?.greeting, (await toy.otherSays())?.greeting];
    return said[0] !== undefined && said[0] === said[1];
  });
  return Number(said[0]);
}

async function expectInHistory(toy: RunningToy): Promise<void> {
  const { inForce, entries } = await toy.client.call(controlHistory, {});
  expect(entries[0]?.id).toBe(inForce);
}
