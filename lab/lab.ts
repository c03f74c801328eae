// SPDX-License-Identifier: Apache-2.0
// The commands of `npm run lab`.
import { parseArgs } from 'node:util';
import { build, buildRawSocket } from '../tools/build.ts';
import { isRoot } from '../tools/command.ts';
import { closingLine, record } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';
import type { Balancer } from './balancers/balancer.ts';
import { sluiceBalancer } from './balancers/sluice.ts';
import { balancers } from './balancers/table.ts';
import { runInGuest } from './guest/guest.ts';
import { MachineError } from './guest/system-program.ts';
import { hasSctp } from './kernel.ts';
import { keepTopology, type Outcome, perform, startBalancer, unsuited } from './perform.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { scenarios } from './scenarios/table.ts';
import { LabError } from './topology/lab-error.ts';
import { type KeptTopology, keptTopologies, namespaceOf, remove, removeAbandoned } from './topology/run.ts';
import { removeOnSignals } from './topology/signals.ts';
import { Topology } from './topology/topology.ts';

const everyBalancer = 'all';

export const usage = `Usage: npm run lab [-- [OPTION…] [NAME…]]
       npm run lab -- up NAME | down [NAME] | list
       npm run lab -- oracle [OPTION…] [NAME…]
       npm run lab -- ipvsadm [OPTION…]

Plays scenarios with real clients and servers in network namespaces, with Sluice as their balancer. Needs root, except
for list, oracle and --help. It changes nothing outside of the namespaces, and removes them at the end.

  NAME            a scenario, or all scenarios whose names begin with NAME: nat-ipv4
  up NAME         make a scenario's topology, start the balancer, keep both running, and print how to enter the hosts
  down [NAME]     remove kept topologies: all, or those of that scenario
  list            print the scenarios and the kept topologies
  oracle          play scenarios to the Linux kernel's IPVS; see oracle --help
  ipvsadm         play random commands to the real ipvsadm and to Sluice's; see ipvsadm --help

  --balancer B    the balancer: ${balancers.map(({ name }) => name).join(', ')}; or each that can play the scenario: ${everyBalancer}
  --guest         on Debian's own kernel, which has IPVS and SCTP, in a virtual machine; ten to twenty times as slow, and
                  captures of failed scenarios are lost
  --keep          keep the topologies after the scenarios
  --json          print the results as JSON
  --help          print this text

The captures of all links and the logs of all programs of a failed scenario are kept in out/lab.
`;

const options = {
  balancer: { type: 'string', default: sluiceBalancer.name },
  guest: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

interface Request {
  readonly names: readonly string[];
  readonly balancer: string;
  readonly guest: boolean;
  readonly keep: boolean;
  readonly json: boolean;
}

/** The command line is wrong. */
class Misuse extends Error {}

interface NotPlayed {
  readonly scenario: string;
  readonly result: 'not run';
  readonly problem: string;
  /** The kernel lacks what the scenario needs, so this is no failure. */
  readonly isExcused: boolean;
}

interface Pair {
  readonly scenario: Scenario;
  readonly balancer: Balancer;
}

export async function lab(args: readonly string[]): Promise<0 | 1 | 2> {
  try {
    const { values, positionals } = parse(args);
    const [command, ...names] = positionals;
    const request = values;
    if (command === 'list') return list(request.json);
    beRoot();
    if (command === 'up') return await up({ ...request, names });
    if (command === 'down') return down(names);
    if (request.guest) return await playInGuest({ ...request, names: positionals });
    return await play({ ...request, names: positionals });
  } catch (error) {
    if (error instanceof Misuse) {
      process.stderr.write(`lab: ${error.message}\nTry --help.\n`);
      return 2;
    }
    // The stack is shown for bugs only.
    const isExpected =
      error instanceof LabError || error instanceof MachineError || (error instanceof Error && 'exitStatus' in error);
    process.stderr.write(`lab: ${isExpected ? error.message : error instanceof Error ? error.stack : error}\n`);
    return 1;
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Misuse(error instanceof Error ? error.message : String(error));
  }
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}

function beRoot(): void {
  if (!isRoot) throw new LabError('network namespaces need root; run it again as: sudo npm run lab');
}

function list(json: boolean): 0 {
  const standing = isRoot ? keptTopologies() : [];
  const rows = scenarios.map(scenario => ({
    name: scenario.name,
    title: scenario.title,
    balancers: balancers.filter(balancer => unsuited(scenario, balancer) === undefined).map(({ name }) => name),
  }));
  if (json) return print(`${JSON.stringify({ scenarios: rows, standing })}\n`);
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  for (const row of rows) print(`${row.name.padEnd(width)}${row.title} [${row.balancers.join(', ')}]\n`);
  for (const topology of standing) print(`\nkept: ${topology.scenario}\n${enterCommands(topology)}`);
  return 0;
}

function enterCommands({ id, hosts }: KeptTopology): string {
  const width = Math.max(...hosts.map(name => name.length)) + 2;
  return hosts.map(name => `  ${name.padEnd(width)}ip netns exec ${namespaceOf(id, name)} bash\n`).join('');
}

function wanted(names: readonly string[]): Scenario[] {
  const unknown = names.find(name => !scenarios.some(scenario => scenario.name.startsWith(name)));
  if (unknown !== undefined) throw new Misuse(`no scenario is called ${unknown}; \`npm run lab -- list\` shows them`);
  const exact = (name: string) => scenarios.some(scenario => scenario.name === name);
  return scenarios.filter(
    scenario =>
      names.length === 0 || names.some(name => (exact(name) ? scenario.name === name : scenario.name.startsWith(name))),
  );
}

function balancersOf(name: string): readonly Balancer[] {
  if (name === everyBalancer) return balancers;
  const named = balancers.filter(balancer => balancer.name === name);
  if (named.length === 0) throw new Misuse(`no balancer is called ${name}`);
  return named;
}

/** Which scenarios can be played with which balancers on this machine, and why the others cannot. */
function match({ names, balancer }: Request): { pairs: Pair[]; notPlayed: NotPlayed[] } {
  const candidates = balancersOf(balancer).map(each => ({ each, reason: each.unavailable() }));
  const lacksSctp = !hasSctp();
  const pairs: Pair[] = [];
  const notPlayed: NotPlayed[] = [];
  for (const scenario of wanted(names)) {
    const suited = candidates.filter(({ each }) => unsuited(scenario, each) === undefined);
    const ready = suited.filter(({ reason }) => reason === undefined);
    const reasons = suited.map(({ each, reason }) => `${each.name}: ${reason}`);
    if (scenario.kernel === 'sctp' && lacksSctp) {
      notPlayed.push({
        scenario: scenario.name,
        result: 'not run',
        problem: 'this kernel has no SCTP',
        isExcused: true,
      });
    } else if (ready.length === 0) {
      const problem = reasons.join('; ') || `${balancer} cannot play it`;
      notPlayed.push({ scenario: scenario.name, result: 'not run', problem, isExcused: false });
    } else {
      pairs.push(...ready.map(({ each }) => ({ scenario, balancer: each })));
    }
  }
  return { pairs, notPlayed };
}

async function play(request: Request): Promise<0 | 1> {
  prepare(request);
  const { pairs, notPlayed } = match(request);
  const say = (text: string): void => {
    if (!request.json) process.stdout.write(text);
  };
  const outcomes: Outcome[] = [];
  for (const [index, { scenario, balancer }] of pairs.entries()) {
    say(`${String(index + 1).padStart(3)}/${pairs.length} ${scenario.name} with ${balancer.name}: `);
    const outcome = await perform(scenario, balancer, { keep: request.keep });
    outcomes.push(outcome);
    say(`${resultText(outcome)}\n`);
  }
  for (const { scenario, problem } of notPlayed) say(`${scenario}: not run: ${problem}\n`);
  const failures = [
    ...outcomes.filter(({ result }) => result === 'failed'),
    ...notPlayed.filter(({ isExcused }) => !isExcused),
  ].map(({ scenario, problem }) => `${scenario}: ${problem}`);
  if (request.json) print(`${JSON.stringify([...outcomes, ...notPlayed])}\n`);
  const passed = outcomes.filter(({ result }) => result === 'passed').length;
  const skipped = notPlayed.filter(({ isExcused }) => isExcused).length;
  const count = { passed, failed: failures.length, skipped, failures };
  if (request.names.length === 0) record('lab', count);
  say(`\n${closingLine(count)}\n`);
  if (request.keep) for (const topology of keptTopologies()) say(`\n${topology.scenario}\n${enterCommands(topology)}`);
  return count.failed === 0 ? 0 : 1;
}

function resultText({ result, seconds, problem, evidence, notes = [] }: Outcome): string {
  if (result === 'passed') return [`passed (${seconds} s)`, ...notes].join('\n    ');
  return `FAILED (${seconds} s)\n    ${problem}${evidence === undefined ? '' : `\n    captures and logs: ${evidence}`}`;
}

/** Packages are installed and programs built before, on the host: the virtual machine has no network and is slow. */
async function playInGuest(request: Request): Promise<0 | 1> {
  setup(['oracle']);
  prepare(request);
  if (!request.json) buildRawSocket();
  const { names, balancer, json } = request;
  const words = [...names, '--balancer', balancer, ...(json ? ['--json'] : [])];
  return (await runInGuest(['node_modules/.bin/tsx', 'lab/main.ts', ...words])) === 0 ? 0 : 1;
}

async function up(request: Request): Promise<0> {
  const [name, ...others] = request.names;
  if (name === undefined || others.length > 0) throw new Misuse('up takes the name of one scenario');
  const scenario = scenarios.find(each => each.name === name);
  if (scenario === undefined) throw new Misuse(`no scenario is called ${name}; \`npm run lab -- list\` shows them`);
  prepare(request);
  const { pairs, notPlayed } = match({ ...request, names: [name] });
  const [pair] = pairs;
  if (pair === undefined) throw new LabError(`${name} cannot be played on this machine: ${notPlayed[0]?.problem}`);
  const topology = await Topology.up(scenario.topology);
  try {
    await startBalancer(topology, scenario, pair.balancer);
  } catch (error) {
    await topology.down();
    throw error;
  }
  const kept = keepTopology(topology, scenario);
  if (request.json) return print(`${JSON.stringify(kept)}\n`);
  return print(
    `${name} is running, with ${pair.balancer.name} as its balancer. Enter a host:\n${enterCommands(kept)}` +
      `Remove it: npm run lab -- down ${name}\n`,
  );
}

function down(names: readonly string[]): 0 {
  const standing = keptTopologies().filter(({ scenario }) => names.length === 0 || names.includes(scenario));
  for (const { id } of standing) remove(id);
  const abandoned = removeAbandoned();
  const also = abandoned > 0 ? `, and ${abandoned} left by a run that was killed` : '';
  return print(`${standing.length} topologies removed${also}\n`);
}

/** Installs packages, builds Sluice, removes what killed runs left, and makes signals remove this run's topologies. */
function prepare({ json }: Request): void {
  setup(['lab']);
  // With --json nothing is built: a build prints text that is no JSON. Real servers behind any balancer run `sluice decap`.
  if (!json) {
    setup(['build']);
    build();
  }
  const abandoned = removeAbandoned();
  if (abandoned > 0 && !json) process.stdout.write(`removed ${abandoned} topologies left by a run that was killed\n`);
  removeOnSignals();
}
