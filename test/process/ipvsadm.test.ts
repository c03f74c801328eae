// SPDX-License-Identifier: Apache-2.0
// sluice-ipvsadm, the program behind `sluice ipvsadm`: on a running Sluice that was started with no service, and without one.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';
import { sluiceCommand } from './sluice-command.ts';

const program = join(packageRoot, 'build/Release/sluice-ipvsadm');

const [node, ...sluice] = sluiceCommand;

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describeAsRoot('sluice ipvsadm', () => {
  it('adds what forwards when it returns, lists it with its counts, saves, clears and restores it', async () => {
    const sluice = await RunningSluice.startEmpty();
    running = sluice;
    const ipvsadm = (words: string, input?: string) =>
      sluice.balancer.run(
        ['env', `SLUICE_SOCKET=${sluice.socket}`, program, ...words.split(' ')],
        input === undefined ? {} : { input },
      );
    expect(await ipvsadm(`-A -t ${virtual}:80 -s rr`)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(await ipvsadm(`-a -t ${virtual}:80 -r 10.2.0.2:8080 -m`)).toMatchObject({ status: 0 });
    await sluice.request(3);
    // Workers publish their counts ten times a second.
    await until('the connections are counted', 30_000, async () => / 3 +$/m.test((await ipvsadm('-L -n')).stdout));
    expect((await ipvsadm('-L -n')).stdout).toBe(
      [
        'IP Virtual Server version 1.2.1 (size=4096)',
        'Prot LocalAddress:Port Scheduler Flags',
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
        `TCP  ${virtual}:80 rr`,
        '  -> 10.2.0.2:8080                Masq    1      0          3         ',
        '',
      ].join('\n'),
    );
    const rates = async () =>
      /^TCP .* (\d+) +(\d+) +(\d+) +(\d+) +(\d+)$/m.exec((await ipvsadm('-L -n --rate')).stdout);
    await until('the rates show what was forwarded', 30_000, async () => Number((await rates())?.[4]) > 0);
    expect((await ipvsadm('-L -n -c')).stdout.split('\n')).toHaveLength(6);
    expect(await ipvsadm(`-A -t ${virtual}:80`)).toMatchObject({ status: 255, stderr: 'Service already exists\n' });

    const { stdout: saved } = await ipvsadm('-S -n');
    expect((await ipvsadm('-C')).status).toBe(0);
    await expect(sluice.request()).rejects.toThrow();
    expect((await ipvsadm('-R', saved)).status).toBe(0);
    await sluice.request();
    const { entries } = await sluice.ask<{ entries: { action: string; reason: string }[] }>('history');
    expect(entries[0]).toMatchObject({ action: 'command', reason: 'ipvsadm -R' });
  });
});

describe('sluice-ipvsadm without a running Sluice', () => {
  const call = (...args: string[]) =>
    spawnSync(program, args, { encoding: 'utf8', env: { SLUICE_SOCKET: '/nonexistent/sluice.sock' } });
  // Printed by `ipvsadm -h`, and its first line by `ipvsadm -v`.
  const usage = readFileSync(new URL('../golden/ipvsadm/usage.txt', import.meta.url), 'utf8');
  const version = usage.slice(0, usage.indexOf('\n') + 1);

  it.each([
    ['-h', usage],
    ['--help', usage],
    ['-hn', usage],
    ['-h -L nonsense', usage],
    ['-v', version],
    ['-v -h', version],
  ])('prints what ipvsadm prints for %s', (words, printed) => {
    expect(call(...words.split(' '))).toMatchObject({ status: 0, stdout: printed, stderr: '' });
    expect(spawnSync(node, [...sluice, 'ipvsadm', ...words.split(' ')], { encoding: 'utf8' }).stdout).toBe(printed);
  });

  it('says for any other command what is missing, with the status of ipvsadm without its module', () => {
    const { status, stdout, stderr } = call('-L');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain("Can't initialize ipvs: no sluice answers at /nonexistent/sluice.sock: No such file");
  });
});
