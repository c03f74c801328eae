// SPDX-License-Identifier: Apache-2.0
// The measurements. Each measures one subject and returns figures by name.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { iperf } from '../../lab/drivers/iperf.ts';
import type { Host } from '../../lab/topology/host.ts';
import { LabError } from '../../lab/topology/lab-error.ts';
import { namespacePath } from '../../lab/topology/run.ts';
import { readFigures } from '../programs.ts';
import { cpuNanoseconds, machineBusySeconds, processesOf, softirqThreads } from './cpu.ts';
import { endsCpu, floodPort, pinned, program, type Stage, webPort } from './stage.ts';
import { directorPid, type Measure, type Subject } from './subjects.ts';

export type Values = Readonly<Record<string, number>>;

const packetSeconds = 1.5;
const bulkSeconds = 2;
const webSeconds = 1.5;
const idleSeconds = 5;
const manyFlows = 1_000_000;

/** Number of concurrent requests. */
const parallel = 64;
/** Pause between single requests, long enough for all processes to sleep. */
const restMilliseconds = 5;

async function runProgram(host: Host, name: string, words: readonly string[]): Promise<Map<string, number>> {
  const printed = await host.must(pinned(endsCpu, [program(name), ...words]));
  return new Map(readFigures(printed).figures.map(({ figure, value }) => [figure, value]));
}

function figureOf(figures: ReadonlyMap<string, number>, name: string): number {
  const value = figures.get(name);
  if (value === undefined) throw new LabError(`a program of the bench did not print "${name}"`);
  return value;
}

function flood(stage: Stage, address: string, more: readonly string[]) {
  return runProgram(stage.client, 'path_packets_bench', [
    ...['send', 'interface=eth0', `mac=${stage.gatewayMac}`, 'source=10.1.1.0', `address=${address}`],
    ...[`port=${floodPort}`, `sink=${namespacePath(stage.server.namespace)}`, 'sink_interface=eth0', ...more],
  ]);
}

async function packets(stage: Stage, { target, name, flood: words = [] }: Subject): Promise<Values> {
  const balancer = processesOf(stage.balancer);
  const balancerBefore = cpuNanoseconds(balancer);
  const softirqBefore = cpuNanoseconds(softirqThreads);
  const machineBefore = machineBusySeconds();
  const figures = await flood(stage, target.udp, [`seconds=${packetSeconds}`, ...words]);
  const machine = machineBusySeconds() - machineBefore;
  const balancerSeconds = (cpuNanoseconds(balancer) - balancerBefore) / 1e9;
  const softirqSeconds = (cpuNanoseconds(softirqThreads) - softirqBefore) / 1e9;
  const [sent, arrived, elapsed, generator] = ['sent', 'arrived', 'elapsed', 'cpu'].map(name =>
    figureOf(figures, name),
  ) as [number, number, number, number];
  if (arrived === 0) throw new LabError(`${name} forwarded no packet`);
  return {
    'packets a second': arrived / elapsed,
    'packets a core-second, both ends': arrived / (generator + balancerSeconds + softirqSeconds),
    'CPU time of its process a packet, ns': (balancerSeconds / arrived) * 1e9,
    'CPU time of the generator a packet, ns': (generator / arrived) * 1e9,
    'lost, %': Math.max(0, (1 - arrived / sent) * 100),
    'CPUs of the machine in use, by all processes': machine / elapsed,
  };
}

async function bulk({ client, balancer }: Stage, { target }: Subject): Promise<Values> {
  const processes = processesOf(balancer);
  const before = cpuNanoseconds(processes);
  const { megabits } = await iperf(client, target.tcp, { protocol: 'tcp', seconds: bulkSeconds });
  const gigabytes = (megabits / 8000) * bulkSeconds;
  return {
    'Gbit/s': megabits / 1000,
    'CPU time of its process a GB, ms': (cpuNanoseconds(processes) - before) / 1e6 / gigabytes,
  };
}

function ask({ client }: Stage, { target }: Subject, words: readonly string[]) {
  return runProgram(client, 'path_web_bench', ['ask', `address=${target.tcp}`, `port=${webPort}`, ...words]);
}

async function connections(stage: Stage, subject: Subject): Promise<Values> {
  const balancer = processesOf(stage.balancer);
  const before = cpuNanoseconds(balancer);
  const figures = await ask(stage, subject, [`seconds=${webSeconds}`, `connections=${parallel}`]);
  const spent = cpuNanoseconds(balancer) - before;
  const rate = figureOf(figures, 'connections');
  return {
    'connections a second': rate,
    'p50, ms': figureOf(figures, 'p50'),
    'p99, ms': figureOf(figures, 'p99'),
    'CPU time of its process a connection, µs': spent / (rate * webSeconds) / 1000,
    failed: figureOf(figures, 'failed'),
  };
}

async function latency(stage: Stage, subject: Subject): Promise<Values> {
  const figures = await ask(stage, subject, ['seconds=1', 'connections=1', `pause=${restMilliseconds}`]);
  return { 'median, ms': figureOf(figures, 'p50') };
}

async function idle(stage: Stage): Promise<Values> {
  const balancer = processesOf(stage.balancer);
  const before = cpuNanoseconds(balancer);
  await delay(idleSeconds * 1000);
  return { '% of a core': ((cpuNanoseconds(balancer) - before) / (idleSeconds * 1e9)) * 100 };
}

/** A process's resident memory, and its proportional share of it (memory shared with other processes is divided), in MB. */
function memoryOf(pid: number): { resident: number; proportional: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)?.[1]);
  return { resident: kilobytes('Rss') / 1000, proportional: kilobytes('Pss') / 1000 };
}

/** Must be the last measurement: it leaves a million flows. */
async function memory(stage: Stage, { target }: Subject): Promise<Values> {
  const pid = directorPid(stage);
  const before = memoryOf(pid);
  const figures = await flood(stage, target.udp, [`packets=${manyFlows}`, `flows=${manyFlows}`]);
  const after = memoryOf(pid);
  return {
    flows: figureOf(figures, 'arrived'),
    'flows opened a second': figureOf(figures, 'arrived') / figureOf(figures, 'elapsed'),
    'resident before, MB': before.resident,
    'resident, MB': after.resident,
    'proportional share, MB': after.proportional,
  };
}

export const measureNames = ['packets', 'bulk', 'connections', 'latency', 'idle', 'memory'] as const;

export const measures: Readonly<Record<Measure, (stage: Stage, subject: Subject) => Promise<Values>>> = {
  ...{ packets, bulk, connections, latency, idle, memory },
};

/** Measured in one round only, as these figures hardly vary. */
export const onceOnly: readonly Measure[] = ['idle', 'memory'];

/** The rate at which the generator can send. The packets go to an unknown MAC address, so the balancer's host drops them. */
export async function generatorLimit(stage: Stage): Promise<Values> {
  const figures = await runProgram(stage.client, 'path_packets_bench', [
    ...['send', 'interface=eth0', 'mac=02:00:00:00:00:98', 'source=10.1.1.0', 'address=10.1.0.1', 'window=0'],
    ...[`sink=${namespacePath(stage.balancer.namespace)}`, 'sink_interface=eth0', 'seconds=1'],
  ]);
  return { 'packets a second': figureOf(figures, 'arrived') / figureOf(figures, 'elapsed') };
}
