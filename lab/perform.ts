// SPDX-License-Identifier: Apache-2.0
// Plays a scenario with a balancer: makes its topology, starts the balancer, and removes everything afterwards. Captures and
// logs are kept when the scenario fails.
import { cpSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Balancer } from './balancers/balancer.ts';
import type { Scenario, Stage } from './scenarios/scenario.ts';
import { LabError } from './topology/lab-error.ts';
import { type KeptTopology, keep } from './topology/run.ts';
import { scaled } from './topology/time-scale.ts';
import { Topology } from './topology/topology.ts';

/** The folder for captures and logs of failed scenarios, below the project's root. */
export const failureFolder = 'out/lab';

/** The longest scenario transfers a gigabyte on a busy machine. A scenario that takes longer than this hangs. */
const scenarioMilliseconds = scaled(300_000);

export interface Outcome {
  readonly scenario: string;
  readonly balancer: string;
  readonly result: 'passed' | 'failed';
  readonly seconds: number;
  /** Why it failed. */
  readonly problem?: string;
  /** Figures that the scenario noted. */
  readonly notes?: readonly string[];
  /** The folder of captures and logs. */
  readonly evidence?: string;
}

/** Why the balancer cannot play the scenario; undefined when it can. */
export function unsuited(scenario: Scenario, balancer: Balancer): string | undefined {
  const { services } = scenario.forwarding;
  const modes = services.flatMap(service => [service.mode, ...service.servers.map(({ mode }) => mode ?? service.mode)]);
  const mode = modes.find(wanted => !balancer.modes.includes(wanted));
  if (mode !== undefined) return `${balancer.name} does not forward in mode ${mode}`;
  const ability = scenario.needs?.find(need => !balancer.abilities.includes(need));
  return ability === undefined ? undefined : `${balancer.name} lacks the ability: ${ability}`;
}

/** Starts the balancer in the scenario's topology, which must exist already. */
export async function startBalancer(
  topology: Topology,
  scenario: Scenario,
  balancer: Balancer,
  note: (text: string) => void = () => undefined,
): Promise<Stage> {
  const host = (name: string) => topology.host(name);
  const running = await balancer.start(host('balancer'), scenario.forwarding);
  return { host, client: host('client'), balancer: running, note };
}

export async function perform(scenario: Scenario, balancer: Balancer, options: { keep: boolean }): Promise<Outcome> {
  const began = performance.now();
  const of = { scenario: scenario.name, balancer: balancer.name };
  const seconds = () => Math.round((performance.now() - began) / 100) / 10;
  const notes: string[] = [];
  let topology: Topology | undefined;
  try {
    topology = await Topology.up(scenario.topology);
    await topology.capture();
    const stage = await startBalancer(topology, scenario, balancer, text => notes.push(text));
    await beforeDeadline(scenario.play(stage));
    return { ...of, result: 'passed', seconds: seconds(), ...(notes.length > 0 && { notes }) };
  } catch (error) {
    const evidence = topology && saveEvidence(topology, scenario, balancer);
    return {
      ...of,
      result: 'failed',
      seconds: seconds(),
      problem: textOf(error),
      ...(evidence !== undefined && { evidence }),
    };
  } finally {
    if (topology && options.keep) keepTopology(topology, scenario);
    else await topology?.down();
  }
}

/** Lets the topology and its programs outlive this process, until `npm run lab -- down`. */
export function keepTopology(topology: Topology, scenario: Scenario): KeptTopology {
  const kept = { id: topology.id, scenario: scenario.name, hosts: topology.hostNames };
  keep(kept);
  topology.release();
  return kept;
}

async function beforeDeadline(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new LabError(`the scenario did not end within ${scenarioMilliseconds / 1000} s`);
    timer = setTimeout(() => reject(error), scenarioMilliseconds);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A LabError explains itself. Any other error is a bug and is shown with its stack. */
function textOf(error: unknown): string {
  if (error instanceof LabError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function saveEvidence(topology: Topology, scenario: Scenario, balancer: Balancer): string {
  const folder = join(failureFolder, `${scenario.name}@${balancer.name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // Without the empty logs.
  cpSync(topology.folder, folder, { recursive: true, filter: path => statSync(path).size > 0 });
  return folder;
}
