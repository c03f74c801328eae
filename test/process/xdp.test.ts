// SPDX-License-Identifier: Apache-2.0
// Ports by AF_XDP as a person configures and sees them.
import { afterEach, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import type { Status } from '../../src/cli/status.ts';
import type { AnswerOf } from '../../src/core/api/route.ts';
import type { directorStatus } from '../../src/director/api.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const document = (type: string) => `director:
  ports: { c0: { device: eth0, type: ${type} }, s0: eth1 }
  services: [{ tcp: "${virtual}:80", servers: [10.2.0.2:8080] }]
`;

type Director = AnswerOf<typeof directorStatus>;

const portsOf = ({ ports }: Director) => ports.map(({ name, type }) => [name, type]);

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function directorOf(one: RunningSluice): Promise<Director> {
  const { director } = await one.ask<Status>('status');
  if (director === undefined) throw new Error('the director does not run');
  return director;
}

/** The name of the program that is attached to the driver. */
async function programOf({ balancer }: RunningSluice, device: string): Promise<string | undefined> {
  const [link] = JSON.parse(await balancer.must(['ip', '-json', '-details', 'link', 'show', device]));
  return link.xdp?.prog?.name;
}

describeAsRoot('a port by AF_XDP', () => {
  it('is shown as such, takes requests, and gives the device back in the end', async () => {
    running = await RunningSluice.startBy(document('xdp'));
    const status = await directorOf(running);
    expect(status.notices).toEqual([]);
    expect(portsOf(status)).toEqual([
      ['c0', 'xdp-copy'],
      ['s0', 'packet'],
    ]);
    expect((await running.command('status')).stdout).toMatch(/^c0 +xdp-copy +[0-9a-f:]{17} /m);
    expect(await programOf(running, 'eth0')).toBe('sluice_xdp');
    await running.request(3);

    running.program.kill('SIGTERM');
    expect((await running.program.ending).status).toBe(0);
    expect(await programOf(running, 'eth0')).toBeUndefined();
  });

  it('is a packet ring for several workers, and says so', async () => {
    running = await RunningSluice.startBy(document('xdp'), '--workers', '2');
    const status = await directorOf(running);
    expect(portsOf(status)).toEqual([
      ['c0', 'packet'],
      ['s0', 'packet'],
    ]);
    expect(status.notices).toEqual([
      'port eth0 is a packet ring, which carries the same, and not AF_XDP: ' +
        'a queue of the device serves one worker, and there are 2; run with --workers 1 for it',
    ]);
    expect((await running.command('status')).stdout).toContain('note: port eth0 is a packet ring');
    expect(running.program.stderr).toContain('"level":"warn"');
    await running.request();
  });

  it('is there again when its device has gone and come back', async () => {
    running = await RunningSluice.startBy(document('xdp'));
    const { balancer, client } = running;
    await balancer.must(['ip', 'link', 'delete', 'eth0']);
    const peer = ['peer', 'name', 'eth0', 'netns', client.namespace] as const;
    await balancer.must(['ip', 'link', 'add', 'eth0', 'type', 'veth', ...peer]);
    await balancer.must(['sh', '-c', 'ip address add 10.1.0.1/24 dev eth0 && ip link set eth0 up']);
    const addressed = 'ip address add 10.1.0.2/24 dev eth0 && ip link set eth0 up && ip route add default via 10.1.0.1';
    await client.must(['sh', '-c', addressed]);
    const again = running;
    await until('the driver has the program', 10_000, async () => (await programOf(again, 'eth0')) === 'sluice_xdp');
    await running.request(3);
    const status = await directorOf(running);
    expect(status.notices).toEqual([]);
    expect(portsOf(status)[0]).toEqual(['c0', 'xdp-copy']);
  });

  it('stays what it is when the configuration changes that, which takes a restart', async () => {
    running = await RunningSluice.startBy(document('packet'));
    running.configure(document('xdp'));
    running.program.kill('SIGHUP');
    await running.program.logs('the ports cannot be changed while the director runs', 0);
    expect(portsOf(await directorOf(running))[0]).toEqual(['c0', 'packet']);
    await running.request();
  });
});
