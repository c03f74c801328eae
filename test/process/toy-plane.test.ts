// SPDX-License-Identifier: Apache-2.0
// The machinery of `sluice run` with a plane that follows docs/adding-a-plane.md: processes, transactions and what becomes
// of them when a plane refuses, hangs or dies. The real planes have tests of their own.
import { readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { metricsRoute } from '../../src/control/api.ts';
import { ApiClient } from '../../src/core/api/client.ts';
import { describeAsRoot } from '../privileges.ts';
import { toyGreeting } from './toy-plane/plane.ts';
import { patience, RunningToy, statusLine } from './toy-plane/running-toy.ts';

vi.setConfig({ testTimeout: 3 * patience, hookTimeout: patience });

let running: RunningToy | undefined;

async function start(text: string): Promise<RunningToy> {
  running = new RunningToy(text);
  return await running.ready();
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function titleOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', '').trim();
}

describeAsRoot('a plane beside control', () => {
  it('is given its part, answers through control, and is given another part on SIGHUP', async () => {
    const toy = await start('toy: { greeting: hello }');
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
    toy.configure('toy: { greeting: good day }');
    toy.child.kill('SIGHUP');
    await until('the plane says good day', patience, async () => (await toy.says())?.greeting === 'good day');
    expect(await toy.process('toy')).toMatchObject({ state: 'running', restarts: 0 });
  });

  it('keeps a SIGHUP that comes before everything is ready', async () => {
    const toy = new RunningToy('toy: { greeting: hello }');
    running = toy;
    await until('the supervisor has begun', patience, async () => titleOf(toy.child.pid) === 'sluice: supervisor');
    toy.child.kill('SIGHUP');
    await toy.ready();
    await until('the reload is reported', patience, async () => toy.log.includes('configuration applied'));
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
  });

  it('that refuses leaves everything as it was, and its words reach the person with place and code', async () => {
    const toy = await start('toy: { greeting: hello }');
    const { snapshot } = await toy.status();
    toy.configure('toy: { greeting: no, prepares: refuses }');
    await expect(toy.reload()).rejects.toMatchObject({
      code: 'SLUICE_CONFIG_INVALID',
      message: 'the toy does not say that: "no"',
    });
    expect(await toy.status()).toMatchObject({ snapshot });
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
  });

  it('that hangs has refused when the deadline is over, and takes the next change', async () => {
    const toy = await start('toy: { greeting: hello }');
    toy.configure('toy: { greeting: slow, prepares: hangs }');
    await expect(toy.reload()).rejects.toMatchObject({ code: 'SLUICE_PLANE_TIMEOUT' });
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
    toy.configure('toy: { greeting: quick }');
    await toy.reload();
    expect(await toy.says()).toMatchObject({ greeting: 'quick' });
  });

  it('that dies between prepare and commit is given the new snapshot in its next process', async () => {
    const toy = await start('toy: { greeting: hello }');
    const before = await toy.says();
    toy.configure(`toy: { greeting: again, prepares: dies, once: ${toy.once()} }`);
    const { id } = await toy.reload();
    expect(await toy.status()).toMatchObject({ snapshot: id });
    await until('the next process says again', patience, async () => (await toy.says())?.greeting === 'again');
    expect((await toy.says())?.pid).not.toBe(before?.pid);
    expect(await toy.process('toy')).toMatchObject({ restarts: 1, state: 'running' });
  });

  it('contributes its metrics, and is missing while its process does not answer', async () => {
    const toy = await start('toy: { greeting: hello }');
    const metrics = () => toy.client.text(metricsRoute, {});
    expect(await metrics()).toContain('\nsluice_toy_greeting_info{text="hello"} 1\n');
    expect(await metrics()).toContain('\nsluice_plane_scrape_successful{plane="toy"} 1\n');
    const { pid = 0 } = await toy.process('toy');
    process.kill(pid, 'SIGSTOP');
    try {
      const missing = await metrics();
      expect(missing).toContain('\nsluice_plane_scrape_successful{plane="toy"} 0\n');
      expect(missing).not.toContain('sluice_toy_greeting');
      expect(missing).toContain('\nsluice_process_state{process="toy",state="running"} 1\n');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(await metrics()).toContain('\nsluice_toy_greeting_info{text="hello"} 1\n');
  });

  it('goes on when control crashes, and the next control goes on with the snapshot in force', async () => {
    const toy = await start('toy: { greeting: hello }');
    const [status, before, control] = [await toy.status(), await toy.says(), await toy.pid('control')];
    // What the file says now was never applied.
    toy.configure('toy: { greeting: changed }');
    process.kill(control, 'SIGKILL');
    await toy.replaced('control', control);
    expect(await toy.status()).toMatchObject({ snapshot: status.snapshot });
    expect(await toy.process('control')).toMatchObject({
      restarts: 1,
      lastError: { message: `process ${control} ended by SIGKILL` },
    });
    expect(await toy.says()).toEqual(before);
  });

  it('runs as an ordinary user without powers, as control does; the supervisor alone keeps those of root', async () => {
    const toy = await start('toy: { greeting: hello }');
    const { processes } = await toy.status();
    expect(processes.map(({ name, user }) => [name, user])).toMatchObject([
      ['supervisor', 'root'],
      ['control', 'nobody'],
      ['toy', 'nobody'],
      ['other', 'nobody'],
    ]);
    for (const process of [await toy.pid('control'), await toy.pid('toy')]) {
      expect({ process, effective: statusLine(process, 'CapEff') }).toEqual({
        process,
        effective: ['0000000000000000'],
      });
      expect(statusLine(process, 'CapBnd')).toEqual(['0000000000000000']);
      expect(statusLine(process, 'NoNewPrivs')).toEqual(['1']);
    }
  });

  it('cannot be asked but by control', async () => {
    const toy = await start('toy: { greeting: hello }');
    const direct = new ApiClient(`/run/sluice-${toy.child.pid}/toy.sock`);
    await expect(direct.call(toyGreeting, {})).rejects.toMatchObject({
      message: expect.stringContaining('for other processes'),
    });
  });

  it('ends with the others when sluice is asked to end, and leaves no socket behind', async () => {
    const toy = await start('toy: { greeting: hello }');
    const pids = await toy.pids();
    toy.child.kill('SIGTERM');
    expect(await toy.ended()).toBe(0);
    for (const process of pids) {
      expect(() => statusLine(process, 'CapEff')).toThrow(/ENOENT/);
    }
    expect(() => readFileSync(`/run/sluice-${toy.child.pid}`)).toThrow(/ENOENT/);
  });

  it('that cannot do what is asked for at the start ends sluice with its words', async () => {
    const toy = new RunningToy('toy: { greeting: no, prepares: refuses }');
    running = toy;
    expect(await toy.ended()).toBe(1);
    expect(toy.log).toContain('toy: the toy does not say that: "no"');
  });
});
