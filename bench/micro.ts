// SPDX-License-Identifier: Apache-2.0
// Measures the TypeScript code: reading large configurations, hashing and comparing snapshots, making the director's plan,
// and passing frames through the library. A figure is the median of its runs, in CPU time of the process, which does not
// depend on the machine's load. Each figure is a line of JSON, as in the native benchmarks.
import { Bench } from 'tinybench';
import { documentFormat } from '../src/daemon/document.ts';
import { readRules } from '../src/director/ipvsadm/rules.ts';
import { planModel } from '../src/director/plan.ts';
import { Director } from '../src/index.ts';
import { buildFrame, ethernet, ipv4, tcp } from '../src/wire/packet-builder.ts';

const services = 10_000;
const rulesPerService = 2;
/** The least number of runs of each benchmark, and its least duration. */
const iterations = 5;
const milliseconds = 500;

/** Address number `n` of the /8 network `first`. */
function address(first: number, n: number): string {
  return `${first}.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
}

function document(count: number, weight: number): string {
  const lines = ['director:', '  services:'];
  for (let n = 0; n < count; n++) {
    const own = n === count >> 1 ? weight : 1;
    lines.push(
      `    - tcp: ${address(100, n)}:80`,
      '      scheduler: rr',
      `      servers: [{ server: ${address(10, n)}:8080, weight: ${own} }]`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function rules(lines: number): string {
  const texts: string[] = [];
  for (let n = 0; n < lines / rulesPerService; n++) {
    texts.push(`-A -t ${address(100, n)}:80 -s rr`, `-a -t ${address(100, n)}:80 -r ${address(10, n)}:8080 -m -w 1`);
  }
  return `${texts.join('\n')}\n`;
}

const net = `
ports:
  c0: { mac: "02:00:00:00:01:01", addresses: [10.0.1.1/24] }
  s0: { mac: "02:00:00:00:02:01", addresses: [10.0.2.1/24] }
neighbours:
  10.0.2.11: { mac: "02:00:00:00:02:11", port: s0 }
`;
const oneService = '-A -t 10.0.1.100:80 -s rr\n-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m -w 1\n';

/** One packet of the client for each connection: a SYN or an ACK. */
function clientFrames(connections: number, flags: 'S' | 'A'): Uint8Array[] {
  return Array.from({ length: connections }, (_, n) =>
    buildFrame(
      ethernet({ destination: '02:00:00:00:01:01' }),
      ipv4({ source: '10.0.1.2', destination: '10.0.1.100' }),
      tcp({ sourcePort: 1024 + n, destinationPort: 80, flags }),
    ),
  );
}

function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The median time of one call, in milliseconds. */
async function median(body: () => void): Promise<number> {
  const bench = new Bench({ iterations, time: milliseconds, warmupIterations: 1, warmupTime: 0, now: cpuMilliseconds });
  bench.add('it', body);
  const [task] = await bench.run();
  const result = task?.result;
  if (result?.state !== 'completed') throw new Error('a benchmark did not end', { cause: result });
  return result.latency.p50;
}

function print(figure: string, value: number, unit: string): void {
  console.log(JSON.stringify({ figure, value: Math.round(value * 100) / 100, unit }));
}

const text = document(services, 1);
const before = documentFormat.parse(text);
const after = documentFormat.parse(document(services, 2));
print(`sluice.yaml of ${services} services: parse`, await median(() => documentFormat.parse(text)), 'ms');

const ruleText = rules(10_000);
print('ipvsadm rules of 10000 lines: parse', await median(() => readRules(ruleText, { file: 'rules' })), 'ms');

// The hash of an object is cached, so each run needs a new copy.
const copies = Array.from({ length: 64 }, () => structuredClone(before.director));
const nextCopy = () => copies.pop() ?? structuredClone(before.director);
print(`${services} services: snapshot`, await median(() => documentFormat.snapshot({ director: nextCopy() })), 'ms');

print(`${services} services: compare two snapshots`, await median(() => documentFormat.compare(before, after)), 'ms');
print(`${services} services: plan of all`, await median(() => planModel(before.director)), 'ms');

const director = new Director({ net, rules: oneService });
const connections = 10_000;
const acks = clientFrames(connections, 'A');
let time = 1_704_067_200_000_000_000n;
for (const syn of clientFrames(connections, 'S')) director.receive('c0', syn, time);
const pass = await median(() => {
  time += 1_000_000n;
  for (const ack of acks) director.receive('c0', ack, time);
});
print(`frames of ${connections} known flows through the library`, connections / pass, 'thousand a second');
