// SPDX-License-Identifier: Apache-2.0
// Wall time of single commands on a running Sluice, as scripts call them: sluice-ipvsadm with no other service, with 1,000
// and with 10,000 of 10 servers each, and sluice apply of as many services from a file. Single changes are measured twice:
// as commands, and "inside", as requests of a client that runs already. Each figure of single changes is the smallest and
// the median of its calls, as lines of JSON: the smallest is what other work on the machine has disturbed least.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Topology } from '../lab/topology/topology.ts';
import { ApiClient } from '../src/core/api/client.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { ipvsadmRoute } from '../src/director/api.ts';

const calls = 30;
const ipvsadm = join(packageRoot, 'build/Release/sluice-ipvsadm');
const sluice = join(packageRoot, 'dist/cli/main.js');

const description = {
  hosts: { client: { interfaces: { eth0: ['10.1.0.2/24'] } }, balancer: { interfaces: { eth0: ['10.1.0.1/24'] } } },
  links: [{ between: ['client:eth0', 'balancer:eth0'] }],
} as const;

function print(figure: string, milliseconds: readonly number[]): void {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const line = (name: string, value = 0) =>
    console.log(JSON.stringify({ figure: name, value: Math.round(value * 10) / 10, unit: 'ms' }));
  line(figure, sorted[sorted.length >> 1]);
  if (sorted.length > 1) line(`${figure}, smallest`, sorted[0]);
}

const topology = await Topology.up(description);
try {
  const balancer = topology.host('balancer');
  const socket = join(balancer.folder, 'sluice.sock');
  const program = balancer.start('sluice', [process.execPath, sluice, 'run', '--socket', socket]);
  await program.ready({ prints: '"msg":"ready"' });

  const run = (command: string, words: readonly string[], input = ''): number => {
    const began = performance.now();
    const options = { env: { SLUICE_SOCKET: socket }, input, encoding: 'utf8', maxBuffer: 1 << 30 } as const;
    const { status, stderr } = spawnSync(command, words, options);
    if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
    return performance.now() - began;
  };
  const call = (words: string, input = ''): number => run(ipvsadm, words.split(' '), input);
  const cli = (...words: string[]) => run(process.execPath, [sluice, ...words, '--socket', socket]);
  const measure = (figure: string, words: (n: number) => string): void =>
    print(
      figure,
      Array.from({ length: calls }, (_, n) => call(words(n))),
    );
  const client = new ApiClient(socket);
  /** What a change takes without the start of a command. */
  const measureInside = async (figure: string, words: (n: number) => string): Promise<void> => {
    const milliseconds: number[] = [];
    const before = cpuTimes();
    for (let n = 0; n < calls; n++) {
      const began = performance.now();
      const { status, stderr } = await client.call(ipvsadmRoute, { args: words(n).split(' ') });
      if (status !== 0) throw new Error(`${words(n)}: ${stderr}`);
      milliseconds.push(performance.now() - began);
    }
    print(`${figure}, inside`, milliseconds);
    for (const [name, spent] of cpuTimes()) {
      print(`${figure}, CPU time of ${name}`, [(spent - (before.get(name) ?? 0)) / calls]);
    }
  };
  const measureAll = async (among: string, port: number): Promise<void> => {
    measure(`ipvsadm -A, ${among}`, n => `-A -t 192.0.2.${n}:${port} -s rr`);
    measure(`ipvsadm -a, ${among}`, n => `-a -t 192.0.2.${n}:${port} -r 10.1.0.2:80 -m`);
    measure(`ipvsadm -L -n of one service, ${among}`, n => `-L -n -t 192.0.2.${n}:${port}`);
    measure(`ipvsadm -d, ${among}`, n => `-d -t 192.0.2.${n}:${port} -r 10.1.0.2:80`);
    measure(`ipvsadm -D, ${among}`, n => `-D -t 192.0.2.${n}:${port}`);
    await measureInside(`ipvsadm -A, ${among}`, n => `-A -t 192.0.2.${n}:${port} -s rr`);
    await measureInside(`ipvsadm -a, ${among}`, n => `-a -t 192.0.2.${n}:${port} -r 10.1.0.2:80 -m`);
    await measureInside(`ipvsadm -d, ${among}`, n => `-d -t 192.0.2.${n}:${port} -r 10.1.0.2:80`);
    await measureInside(`ipvsadm -D, ${among}`, n => `-D -t 192.0.2.${n}:${port}`);
  };
  const measureAmong = async (count: number, port: number): Promise<void> => {
    const name = `${count.toLocaleString('en')} services of 10 servers`;
    const restored = servicesOf(count).flatMap(({ service, servers }) => [
      `-A -t ${service} -s rr`,
      ...servers.map(server => `-a -t ${service} -r ${server} -m`),
    ]);
    print(`ipvsadm -R of ${name}: ${restored.length.toLocaleString('en')} lines`, [
      call('-R', `${restored.join('\n')}\n`),
    ]);
    await measureAll(name, port);
    print(`ipvsadm -L -n of ${name}`, [call('-L -n')]);
    const file = join(balancer.folder, 'sluice.yaml');
    const apply = (figure: string, document: string): void => {
      writeFileSync(file, document);
      print(figure, [cli('apply', file)]);
    };
    apply(`sluice apply that adds one of ${name}`, documentOf(count + 1));
    print(`ipvsadm -C, ${name}`, [call('-C')]);
    apply(`sluice apply of ${name}`, documentOf(count));
    print(`ipvsadm -C, ${name}`, [call('-C')]);
  };

  measure('ipvsadm -v', () => '-v');
  await measureAll('no other services', 80);
  await measureAmong(1000, 81);
  await measureAmong(10_000, 82);
  program.kill('SIGTERM');
  await program.ending;
} finally {
  await topology.down();
}

/** Milliseconds so far of the processes that a change goes through, with all their threads. */
function cpuTimes(): Map<string, number> {
  const millisecondsATick = 10;
  const times = new Map<string, number>();
  for (const pid of descendantsOf(process.pid)) {
    const title = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
    if (title !== 'sluice: control' && title !== 'sluice: director') continue;
    // proc_pid_stat(5): utime and stime are the 14th and the 15th field, and the name before them may have spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    times.set(title, (Number(fields[11]) + Number(fields[12])) * millisecondsATick);
  }
  return times;
}

function descendantsOf(pid: number): number[] {
  const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  const children = stdout.split('\n').filter(Boolean).map(Number);
  return children.flatMap(child => [child, ...descendantsOf(child)]);
}

/** Each has servers of its own. */
function servicesOf(count: number): { service: string; servers: string[] }[] {
  return Array.from({ length: count }, (_, n) => ({
    service: `198.51.${n >> 8}.${n & 255}:80`,
    servers: Array.from({ length: 10 }, (_, i) => {
      const number = 10 * n + i;
      return `10.${2 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}:80`;
    }),
  }));
}

function documentOf(count: number): string {
  const services = servicesOf(count).map(
    ({ service, servers }) =>
      `    - tcp: ${service}\n      scheduler: rr\n      servers:\n${servers.map(server => `        - ${server}\n`).join('')}`,
  );
  return `director:\n  services:\n${services.join('')}`;
}
