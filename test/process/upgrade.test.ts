// SPDX-License-Identifier: Apache-2.0
// One supervisor hands over to the next. The planes are toys (docs/adding-a-plane.md).
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { controlUpgrade, eventsRoute } from '../../src/control/api.ts';
import { describeAsRoot } from '../privileges.ts';
import { commandLine, patience, RunningToy } from './toy-plane/running-toy.ts';

vi.setConfig({ testTimeout: 3 * patience, hookTimeout: patience });

const both = (toy: string, other: string): string => `toy: { greeting: ${toy} }\nother: { greeting: ${other} }\n`;

let running: RunningToy | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describeAsRoot('an upgrade', () => {
  it('hands over everything: the planes go on, and the process before ends', async () => {
    const toy = await start(both('hello', 'bonjour'));
    toy.configure(both('hi', 'salut'));
    await toy.reload();
    // Only what is in force counts.
    toy.configure('toy: [ this is no toy');
    const [before, old] = [await toy.status(), await toy.pids()];
    const { next } = await toy.client.call(controlUpgrade, { author: 'alice' });
    expect(await toy.ended()).toBe(0);
    toy.follow(next);
    await toy.ready();
    expect([await toy.says(), await toy.otherSays()]).toMatchObject([{ greeting: 'hi' }, { greeting: 'salut' }]);
    const after = await toy.status();
    expect(after.snapshot).toBe(before.snapshot);
    expect(await toy.pid('supervisor')).toBe(next);
    expect(await toldEvents(toy)).toEqual(['sluice.upgrade-asked', 'sluice.upgraded']);
    expect((await toy.pids()).filter(pid => old.includes(pid))).toEqual([]);
    expect(old.filter(pid => existsSync(`/proc/${pid}`))).toEqual([]);
    toy.configure(both('good day', 'bonjour'));
    await toy.reload();
    expect(await toy.says()).toMatchObject({ greeting: 'good day' });
  });

  it('to a build that cannot begin is refused, and nothing changes', async () => {
    const toy = await start(both('hello', 'bonjour'), 'ends');
    const [before, pids] = [await toy.status(), await toy.pids()];
    const asked = toy.client.call(controlUpgrade, { build: 'x' });
    await expect(asked).rejects.toThrow('the new build ended with exit status 3');
    expect(await toy.pids()).toEqual(pids);
    const { processes, problems, ...after } = await toy.status();
    expect({ ...after, processes: before.processes, problems: [] }).toEqual(before);
    expect(processes[0]).toMatchObject({
      refusedBuild: 'x',
      lastError: { message: expect.stringContaining('status 3') },
    });
    expect(problems).toMatchObject([{ about: 'supervisor', text: expect.stringContaining('has not taken over') }]);
    expect(await toldEvents(toy)).toEqual(['sluice.upgrade-asked', 'sluice.upgrade-refused']);
    await expect(toy.client.call(controlUpgrade, {})).rejects.toThrow('the new build ended with exit status 3');
  });

  it('to a build that dies when it should begin ends with the one that ran', async () => {
    const toy = await start(both('hello', 'bonjour'), 'dies');
    const supervisor = await toy.pid('supervisor');
    await toy.client.call(controlUpgrade, {});
    await toy.logs('the next supervisor does not work: going on');
    await toy.ready();
    expect([await toy.says(), await toy.otherSays()]).toMatchObject([{ greeting: 'hello' }, { greeting: 'bonjour' }]);
    expect(await toy.process('supervisor')).toMatchObject({
      pid: supervisor,
      lastError: { message: expect.stringContaining('the new build ended by SIGKILL') },
    });
    expect(await toldEvents(toy)).toEqual(['sluice.upgrade-asked', 'sluice.upgrade-refused']);
    toy.configure(both('hi', 'salut'));
    await toy.reload();
    expect(await toy.says()).toMatchObject({ greeting: 'hi' });
  });

  it('ends in good order with a SIGTERM before the takeover', async () => {
    const toy = await start(both('hello', 'bonjour'));
    const { next } = await toy.client.call(controlUpgrade, {});
    toy.child.kill('SIGTERM');
    const socket = join(toy.folder, 'toy.sock');
    if ((await toy.ended()) === 0 && existsSync(socket)) {
      // The takeover was quicker than the signal.
      toy.follow(next);
      return;
    }
    expect(toy.child.exitCode).toBe(0);
    expect([existsSync(socket), existsSync(`/run/sluice-${toy.child.pid}`)]).toEqual([false, false]);
    await until('the next supervisor ends', patience, async () => supervisors(toy.file).length === 0);
  });

  it('that is going on is the only one, and ends with its supervisor', async () => {
    const toy = await start(both('hello', 'bonjour'));
    const first = toy.client.call(controlUpgrade, {});
    first.catch(() => undefined);
    await toy.logs('starting the next supervisor');
    await expect(toy.client.call(controlUpgrade, {})).rejects.toThrow('an upgrade is going on already');
    const pids = await toy.pids();
    toy.child.kill('SIGKILL');
    await until('all processes end', patience, async () => pids.every(pid => !existsSync(`/proc/${pid}`)));
    await until('the next supervisor ends', patience, async () => supervisors(toy.file).length === 0);
  });
});

/** The kinds of the events of upgrades and crashes. */
async function toldEvents(toy: RunningToy): Promise<string[]> {
  const { events } = await toy.client.call(eventsRoute, {});
  return events.map(({ kind }) => kind).filter(kind => /upgrade|process/.test(kind));
}

/** The processes of `sluice run` with this file. */
function supervisors(file: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 0 && commandLine(pid).includes(file));
}

async function start(text: string, next = ''): Promise<RunningToy> {
  running = new RunningToy(text, { environment: { TOY_NEXT: next } });
  return await running.ready();
}
