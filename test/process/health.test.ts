// SPDX-License-Identifier: Apache-2.0
// Health checks and maintenance on a running Sluice, by the commands of a person. How servers fail is played in the lab.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import type { TargetAnswer } from '../../src/health/api.ts';
import { describeAsRoot } from '../privileges.ts';
import { checkedDocument } from './checked-document.ts';
import { RunningSluice, virtual } from './running-sluice.ts';
import { sluiceCommand } from './sluice-command.ts';

const patience = 30_000;
vi.setConfig({ testTimeout: 3 * patience });

let running: RunningSluice | undefined;

async function start(document: string): Promise<RunningSluice> {
  running = await RunningSluice.startBy(document);
  return running;
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function targetOf(sluice: RunningSluice): Promise<TargetAnswer> {
  const [target] = await sluice.ask<TargetAnswer[]>('health');
  if (target === undefined) throw new Error('nothing is checked');
  return target;
}

function ipvsadm(sluice: RunningSluice, ...words: string[]): Promise<string> {
  return sluice.balancer.must(['env', `SLUICE_SOCKET=${sluice.socket}`, ...sluiceCommand, 'ipvsadm', ...words]);
}

describeAsRoot('sluice health', () => {
  it('prints the evidence, and a check of which more is asked takes the server out without a restart', async () => {
    const sluice = await start(checkedDocument());
    await until('there is a result', patience, async () => (await targetOf(sluice)).known);
    const { stdout } = await sluice.command('health', '--server', '10.2.0.2');
    expect(stdout).toMatch(
      /^tcp 192\.0\.2\.10:80\n {2}up {4}10\.2\.0\.2:8080(, since \S+)?\n {10}web up: .*200.* at 10\.2\.0\.2:8080\n$/,
    );
    await sluice.request();
    sluice.configure(checkedDocument({ path: '{ path: /, status: 204 }' }));
    await sluice.command('reload');
    await until('the server is down', patience, async () => (await targetOf(sluice)).health === 'down');
    await until('the director has it', patience, async () => !(await answers(sluice)));
    expect(await ipvsadm(sluice, '-L', '-n')).toMatch(/10\.2\.0\.2:8080 +Masq +0 /);
    expect(await ipvsadm(sluice, '-S', '-n')).toContain('-w 1');
    await until('the log tells it', patience, async () => sluice.program.stderr.includes('the target is down'));
  });

  it('runs scripts without capabilities, without files of its process, and as the user of the processes', async () => {
    const script = 'grep CapEff /proc/self/status; ls /proc/self/fd; id -un; echo $SLUICE_ADDRESS:$SLUICE_PORT; exit 3';
    const check = JSON.stringify({ script: { command: ['/bin/sh', '-c', script] }, interval: 0.5 });
    const sluice = await start(checkedDocument().replace(/web: .*/, `web: ${check}`));
    await until('there is a result', patience, async () => (await targetOf(sluice)).known);
    const { health, checks } = await targetOf(sluice);
    expect(health).toBe('down');
    // 0 to 2 are its own, 3 is the folder that ls reads.
    // What is not printable comes as a dot.
    expect(checks[0]?.last?.detail).toContain('CapEff:.0000000000000000.0.1.2.3.nobody.10.2.0.2:8080');
  });

  it('ends with its scripts, also those that take no SIGTERM', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'sluice-script-')), 'pid');
    chmodSync(dirname(file), 0o777);
    const script = `trap '' TERM; echo $$ > ${file}; while true; do sleep 1; done`;
    const check = JSON.stringify({ script: { command: ['/bin/bash', '-c', script] }, interval: 1, timeout: 50 });
    const sluice = await start(checkedDocument().replace(/web: .*/, `web: ${check}`));
    await until('the script runs', 90_000, () => existsSync(file) && readFileSync(file, 'utf8') !== '');
    const pid = readFileSync(file, 'utf8').trim();
    sluice.program.kill('SIGTERM');
    await sluice.program.ending;
    await until('the script has ended', 10_000, () => !existsSync(`/proc/${pid}`));
    rmSync(dirname(file), { recursive: true });
  });

  it('says when there is no such server, and when nothing is checked', async () => {
    const sluice = await start(checkedDocument());
    expect(await sluice.command('health', '--server', '10.2.0.9')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no such server is checked'),
    });
  });
});

async function answers(sluice: RunningSluice): Promise<boolean> {
  return await sluice.request().then(
    () => true,
    () => false,
  );
}

describeAsRoot('sluice drain', () => {
  it('waits for open connections, ends when there are none, and takes the server back', async () => {
    const sluice = await start(checkedDocument());
    await sluice.request();
    const client = sluice.client.start('client', ['bash', '-c', `exec 3<>/dev/tcp/${virtual}/80; read -r`], {
      open: true,
    });
    const isOpen = async () => / 1 +\d+ +$/m.test(await ipvsadm(sluice, '-L', '-n'));
    await until('the connection is counted', patience, isOpen);
    expect(await sluice.command('drain', '10.2.0.2', '--deadline', '1s')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^left at the deadline: 1 connections/),
    });
    client.write('end\n');
    await client.ending;
    expect(await sluice.command('drain', '10.2.0.2', '--deadline', '60s')).toMatchObject({
      status: 0,
      stdout: 'no connections are left: it is safe to stop the server\n',
    });
    await expect(sluice.request()).rejects.toThrow();
    expect((await sluice.command('export')).stdout).toContain('maintenance: true');
    expect((await sluice.command('drain', '10.2.0.2:8080', '--undo')).status).toBe(0);
    await sluice.request();
  });

  it('ends at the deadline what is left, and UDP flows at once', async () => {
    const udp = { udp: `${virtual}:53`, scheduler: 'rr', servers: ['10.2.0.2:5353', '10.2.0.3:5353'] };
    const sluice = await start(`${checkedDocument()}    - ${JSON.stringify(udp)}\n`);
    const client = sluice.client.start(
      'client',
      ['bash', '-c', `exec 3<>/dev/tcp/${virtual}/80; read -r; echo GET >&3; read -r <&3 || echo reset`],
      { open: true },
    );
    await sluice.client.must(['bash', '-c', `for i in 1 2; do echo hello >/dev/udp/${virtual}/53; done`]);
    const count = async (...words: string[]) =>
      Number((await sluice.command('connections', '--count', ...words)).stdout.trim());
    await until('they are counted', patience, async () => (await count('--protocol', 'udp')) === 2);
    await until('the connection is open', patience, async () => (await count('--state', 'ESTABLISHED')) === 1);
    expect(await sluice.command('drain', '10.2.0.2', '--deadline', '1s', '--reset')).toMatchObject({
      status: 0,
      stdout: '1 connection ended: it is safe to stop the server\n',
    });
    expect([await count('--server', '10.2.0.2'), await count('--server', '10.2.0.3')]).toEqual([0, 1]);
    client.write('more\n');
    expect((await client.ending).stdout).toBe('reset\n');
    expect(await sluice.command('connections', '--end')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no connections are named'),
    });
    const { stdout } = await sluice.command('events', '--kind', 'connections.ended');
    expect(stdout.trim().split('\n').slice(-2).join('\n')).toMatch(
      /ended 1 connection: .*udp.*ended 1 connection: .*tcp/s,
    );
  });

  it('refuses what it does not know', async () => {
    const sluice = await start(checkedDocument());
    const refusal = { status: 2, stderr: expect.stringContaining('no service has this real server') };
    expect(await sluice.command('drain', '10.2.0.9')).toMatchObject(refusal);
    expect((await sluice.command('drain')).status).toBe(2);
  });
});
