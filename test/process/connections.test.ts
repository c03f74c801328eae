// SPDX-License-Identifier: Apache-2.0
// `sluice connections` on a running Sluice: lists and counts those that are wanted.
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const patience = 30_000;
vi.setConfig({ testTimeout: 3 * patience });

const service = `tcp ${virtual}:80`;
const real = '10.2.0.2:8080';

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describeAsRoot('sluice connections', () => {
  it('lists and counts those that are wanted', async () => {
    running = await RunningSluice.start();
    const sluice = running;
    await sluice.request();
    const client = sluice.client.start('client', ['bash', '-c', `exec 3<>/dev/tcp/${virtual}/80; read -r`], {
      open: true,
    });
    const count = async (...words: string[]) =>
      Number((await sluice.command('connections', '--count', ...words)).stdout.trim());
    await until('one is established', patience, async () => (await count('--state', 'established')) === 1);
    expect(await count()).toBe(2);
    expect(await count('--service', service, '--server', '10.2.0.2', '--client', '10.1.0.2')).toBe(2);
    expect(await count('--server', '10.2.0.2:8081')).toBe(0);
    expect(await count('--client', '10.1.0.3')).toBe(0);
    const { stdout } = await sluice.command('connections', '--server', real, '--state', 'ESTABLISHED');
    expect(stdout.trim().split('\n')).toHaveLength(3);
    expect(await sluice.command('connections', '--state', 'OPEN')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('use one of ASSURED, NONE, ESTABLISHED'),
    });
    client.write('end\n');
    await client.ending;
  });
});
