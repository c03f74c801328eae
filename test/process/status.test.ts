// SPDX-License-Identifier: Apache-2.0
// `sluice status` on a running Sluice: what is wrong comes first.
import { kill } from 'node:process';
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import type { Status } from '../../src/cli/status.ts';
import { describeAsRoot } from '../privileges.ts';
import { checkedDocument } from './checked-document.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const patience = 30_000;
vi.setConfig({ testTimeout: 4 * patience });

const health = 'sorry: "10.2.0.7:80"';

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describeAsRoot('sluice status', () => {
  it('says that all is well, or what is wrong: a server that is down, a sorry server in use, a process that has died', async () => {
    running = await RunningSluice.startBy(checkedDocument({ health }));
    const sluice = running;
    const problems = async (): Promise<readonly string[]> =>
      (await sluice.ask<Status>('status')).problems.map(({ about, text }) => `${about}: ${text}`);
    await until('all is well', patience, async () => (await problems()).length === 0);
    const well = await sluice.command('status', '--check');
    expect(well).toMatchObject({ status: 0, stdout: expect.stringMatching(/^all is well\n/) });
    expect(well.stdout).toMatch(/^snapshot [0-9a-f]{12}, entry 1 of the history, by .+ ago, start$/m);
    expect(well.stdout).toMatch(/^tcp 192\.0\.2\.10:80 +rr +1\/1 +0 +0$/m);

    sluice.configure(checkedDocument({ health, path: '{ path: /, status: 204 }' }));
    await sluice.command('reload');
    await until('the sorry server is in use', patience, async () => (await problems()).length === 3);
    expect(await problems()).toEqual([
      `tcp ${virtual}:80: the quorum is lost`,
      `tcp ${virtual}:80: the sorry server 10.2.0.7:80 is in use: no server is up`,
      `real server 10.2.0.2:8080 of tcp ${virtual}:80: down: web: HTTP 200 OK`,
    ]);
    expect(await sluice.command('status', '--check')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^3 problems:\n! tcp 192/),
    });
    expect((await sluice.command('status')).status).toBe(0);

    sluice.configure(checkedDocument({ health }));
    await sluice.command('reload');
    await until('all is well again', patience, async () => (await problems()).length === 0);
    kill(await sluice.pid('health'), 'SIGKILL');
    await until('the death is a problem', patience, async () =>
      (await problems()).some(text => text.startsWith('health: ')),
    );
    await until('it works again', patience, async () => (await problems()).length === 1);
    expect((await problems())[0]).toMatch(/^health: was restarted once, the last time: .*SIGKILL/);
  });
});
