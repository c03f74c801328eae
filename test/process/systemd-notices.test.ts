// SPDX-License-Identifier: Apache-2.0
// What a service manager hears of `sluice run`, by a socket as systemd opens it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { outsideEnvironment } from '../outside-environment.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice } from './running-sluice.ts';

// Node has no datagram sockets of this family.
const receiver = `
import socket, sys
receives = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receives.bind(sys.argv[1])
print('listens', flush=True)
while True: print(receives.recv(4096).decode().split('\\n')[0], flush=True)
`;

const folder = mkdtempSync(join(tmpdir(), 'sluice-manager-'));
let manager: ChildProcess | undefined;
let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  manager?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describeAsRoot('a service manager', () => {
  it('hears that Sluice is ready, lives and ends', { timeout: 90_000 }, async () => {
    const socket = join(folder, 'notify');
    const listens = spawn('python3', ['-c', receiver, socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: outsideEnvironment,
    });
    manager = listens;
    let heard = '';
    listens.stdout.setEncoding('utf8').on('data', text => {
      heard += text;
    });
    await once(listens.stdout, 'data');
    running = await RunningSluice.startUnder(['env', `NOTIFY_SOCKET=${socket}`, 'WATCHDOG_USEC=400000']);
    await until('signs of life are heard', 30_000, () => heard.split('WATCHDOG=1').length > 3);
    running.program.kill('SIGTERM');
    expect((await running.program.ending).status).toBe(0);
    await until('the end is heard', 10_000, () => heard.includes('STOPPING=1'));
    expect(
      heard
        .trim()
        .split('\n')
        .filter(line => line !== 'WATCHDOG=1'),
    ).toEqual(['listens', 'READY=1', 'STOPPING=1']);
  });
});
