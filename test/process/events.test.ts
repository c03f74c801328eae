// SPDX-License-Identifier: Apache-2.0
// `sluice events` on a running Sluice: what happened is told once, in order, over crashes and restarts.
import { existsSync } from 'node:fs';
import { kill } from 'node:process';
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import type { eventsRoute } from '../../src/control/api.ts';
import type { AnswerOf } from '../../src/core/api/route.ts';
import { describeAsRoot } from '../privileges.ts';
import { checkedDocument, checkedServer } from './checked-document.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const patience = 30_000;
vi.setConfig({ testTimeout: 6 * patience });

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describeAsRoot('sluice events', () => {
  it('tells servers, services, processes and changes, over a crash of each process and a restart, and each once', async () => {
    running = await RunningSluice.startBy(checkedDocument());
    const sluice = running;
    const events = async (...options: string[]) =>
      (await sluice.ask<AnswerOf<typeof eventsRoute>>('events', '--most', '1000', ...options)).events;
    const happened = (kind: string, times = 1) =>
      until(`${kind} is told`, patience, async () => (await events('--kind', kind)).length === times);
    await until('the server is up', patience, async () => (await sluice.command('status', '--check')).status === 0);
    const follower = sluice.startCommand('events', '--follow');
    await follower.ready({ prints: 'sluice.started' });

    sluice.configure(checkedDocument({ path: '{ path: /, status: 204 }' }));
    await sluice.command('reload');
    await happened('service.no-servers');
    const [down] = await events('--kind', 'server.down');
    expect(down).toMatchObject({
      ...{ severity: 'warning', subject: `${checkedServer} of tcp ${virtual}:80` },
      text: `real server ${checkedServer} of tcp ${virtual}:80 is down: web: HTTP 200 OK`,
    });

    kill(await sluice.pid('health'), 'SIGKILL');
    await happened('process.started-again');
    kill(await sluice.pid('control'), 'SIGKILL');
    await happened('process.started-again', 2);
    sluice.configure('nonsense: true');
    expect((await sluice.command('reload')).status).not.toBe(0);
    sluice.configure(checkedDocument());
    await sluice.command('reload');
    await happened('service.has-servers');
    await sluice.command('drain', checkedServer, '--reason', 'new disks');
    await happened('maintenance.begun');
    await happened('maintenance.drained');
    await until('the follower has all', patience, async () => follower.stdout.includes('maintenance.drained'));

    const all = await events();
    expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1));
    const count = (kind: string): number => all.filter(event => event.kind === kind).length;
    // The new process of health finds out anew that the server is down.
    expect(count('server.down')).toBeLessThanOrEqual(2);
    expect(count('process.crashed')).toBe(2);
    expect(count('snapshot.refused')).toBe(1);
    expect(all.slice(-2)).toMatchObject([
      { kind: 'maintenance.begun', fields: { reason: 'new disks', server: checkedServer } },
      { kind: 'maintenance.drained', subject: `${checkedServer} of tcp ${virtual}:80` },
    ]);

    await sluice.program.stop();
    await sluice.startAgain();
    await happened('sluice.started', 2);
    expect((await events('--kind', 'sluice')).map(({ kind, severity }) => `${kind} ${severity}`)).toEqual([
      ...['sluice.started info', 'sluice.ended info', 'sluice.started info'],
    ]);
    expect((await sluice.command('events', '--most', 'x')).status).toBe(2);

    const control = await sluice.pid('control');
    sluice.program.kill('SIGKILL');
    await sluice.program.ending;
    await until('control has ended, too', patience, async () => !existsSync(`/proc/${control}`));
    await sluice.startAgain();
    await happened('sluice.started', 3);
    expect((await events('--kind', 'sluice')).at(-1)).toMatchObject({ kind: 'sluice.started', severity: 'warning' });
    expect(await events('--kind', 'sluice.ended')).toHaveLength(1);
  });
});
