// SPDX-License-Identifier: Apache-2.0
// Wall time of single commands on a running Sluice, as scripts call them: sluice-ipvsadm with no other service and with
// 1,000 of 10 servers each. Each figure is the median of its calls, as a line of JSON.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Topology } from '../lab/topology/topology.ts';
import { packageRoot } from '../src/core/package-root.ts';

const calls = 30;
const ipvsadm = join(packageRoot, 'build/Release/sluice-ipvsadm');
const sluice = join(packageRoot, 'dist/cli/main.js');

const description = {
  hosts: { client: { interfaces: { eth0: ['10.1.0.2/24'] } }, balancer: { interfaces: { eth0: ['10.1.0.1/24'] } } },
  links: [{ between: ['client:eth0', 'balancer:eth0'] }],
} as const;

function print(figure: string, milliseconds: readonly number[]): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const value = Math.round((sorted[sorted.length >> 1] ?? 0) * 10) / 10;
  console.log(JSON.stringify({ figure, value, unit: 'ms' }));
}

const topology = await Topology.up(description);
try {
  const balancer = topology.host('balancer');
  const socket = join(balancer.folder, 'sluice.sock');
  const program = balancer.start('sluice', [process.execPath, sluice, 'run', '--socket', socket]);
  await program.ready({ prints: '"msg":"ready"' });

  const call = (words: string, input = ''): number => {
    const began = performance.now();
    const options = { env: { SLUICE_SOCKET: socket }, input, encoding: 'utf8', maxBuffer: 1 << 30 } as const;
    const { status, stderr } = spawnSync(ipvsadm, words.split(' '), options);
    if (status !== 0) throw new Error(`ipvsadm ${words}: ${stderr}`);
    return performance.now() - began;
  };
  const measure = (figure: string, words: (n: number) => string): void =>
    print(
      figure,
      Array.from({ length: calls }, (_, n) => call(words(n))),
    );
  const measureAll = (among: string, port: number): void => {
    measure(`ipvsadm -A, ${among}`, n => `-A -t 192.0.2.${n}:${port} -s rr`);
    measure(`ipvsadm -a, ${among}`, n => `-a -t 192.0.2.${n}:${port} -r 10.1.0.2:80 -m`);
    measure(`ipvsadm -L -n of one service, ${among}`, n => `-L -n -t 192.0.2.${n}:${port}`);
    measure(`ipvsadm -D, ${among}`, n => `-D -t 192.0.2.${n}:${port}`);
  };

  measure('ipvsadm -v', () => '-v');
  measureAll('no other services', 80);
  const services = Array.from({ length: 1000 }, (_, n) => `198.51.${n >> 8}.${n & 255}:80`);
  const servers = (service: string): string[] =>
    Array.from({ length: 10 }, (_, n) => `-a -t ${service} -r 10.1.0.${n + 10}:80 -m`);
  const restored = services.flatMap(service => [`-A -t ${service} -s rr`, ...servers(service)]);
  print('ipvsadm -R of 1,000 services with 10 servers each', [call('-R', `${restored.join('\n')}\n`)]);
  measureAll('1,000 services of 10 servers', 81);
  print('ipvsadm -L -n of 1,000 services of 10 servers', [call('-L -n')]);
  program.kill('SIGTERM');
  await program.ending;
} finally {
  await topology.down();
}
