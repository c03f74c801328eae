// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- path`: compares the live director with other forwarders, in network namespaces. Each subject has a turn
// in each round, so that other load of the machine affects all of them. The result is the median of the rounds.
import { parseArgs } from 'node:util';
import { runInGuest } from '../../lab/guest/guest.ts';
import { MachineError } from '../../lab/guest/system-program.ts';
import { LabError } from '../../lab/topology/lab-error.ts';
import { removeAbandoned } from '../../lab/topology/run.ts';
import { removeOnSignals } from '../../lab/topology/signals.ts';
import { build } from '../../tools/build.ts';
import { Failure, heading, isRoot } from '../../tools/command.ts';
import { compile } from '../../tools/native-tests.ts';
import { setup } from '../../tools/setup.ts';
import { machine, optimised, writeReport } from '../report.ts';
import { generatorLimit, measureNames, measures, onceOnly } from './measures.ts';
import { Results, targets, text } from './report.ts';
import { type ReplyPath, raise, type Stage } from './stage.ts';
import { type Measure, type Subject, subjects } from './subjects.ts';

export const pathUsage = `Usage: npm run bench -- path [--only MEASURE]… [--subject NAME]… [--rounds N] [--json]

Compares the live director with a bare forwarder, the kernel's forwarding, nftables, HAProxy, nginx and the npm package
raw-socket. The hosts are network namespaces. Needs root; takes some four minutes.

  --guest          on Debian's own kernel, which has IPVS, in a virtual machine: ten to twenty times as slow, so that only
                   ratios of figures are useful
  --only MEASURE   ${measureNames.join(', ')}; may be repeated; all unless given
  --subject NAME   one of the forwarders, by its name in the table; may be repeated; all unless given
  --rounds N       number of rounds, of which the median is printed; 3 unless given
  --json           print one JSON document instead of text
`;

const options = {
  only: { type: 'string', multiple: true },
  subject: { type: 'string', multiple: true },
  rounds: { type: 'string', default: '3' },
  guest: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

interface Request {
  readonly wanted: readonly Measure[];
  readonly subjects: readonly Subject[];
  readonly rounds: number;
  readonly guest: boolean;
  readonly json: boolean;
}

function isMeasure(word: string): word is Measure {
  return (measureNames as readonly string[]).includes(word);
}

function read(args: readonly string[]): Request {
  const { values } = parseArgs({ args: [...args], options });
  const unknown = values.only?.find(word => !isMeasure(word));
  if (unknown !== undefined) throw new Failure(`path measures ${measureNames.join(', ')}, not "${unknown}"`, 2);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Failure(`--rounds takes a whole number from 1, not "${values.rounds}"`, 2);
  const wanted = values.only?.filter(isMeasure) ?? measureNames;
  return { wanted, subjects: named(values.subject), rounds, guest: values.guest, json: values.json };
}

function named(names: readonly string[] | undefined): readonly Subject[] {
  const all = subjects.map(({ name }) => name);
  const unknown = names?.find(name => !all.includes(name));
  if (unknown !== undefined) throw new Failure(`path compares ${all.join(', ')}, not "${unknown}"`, 2);
  return subjects.filter(({ name }) => names?.includes(name) ?? true);
}

export async function benchPath(args: readonly string[]): Promise<void> {
  const request = read(args);
  if (!isRoot) throw new Failure('network namespaces need root; run it again as: sudo npm run bench -- path');
  setup(['path']);
  compile(optimised, ['path_packets_bench', 'path_web_bench']);
  build();
  try {
    await (request.guest ? measureInGuest(args) : measure(request));
  } catch (error) {
    if (error instanceof LabError || error instanceof MachineError) throw new Failure(error.message);
    throw error;
  }
}

/** Missing packages are installed before, on the host: the virtual machine has no network. */
async function measureInGuest(args: readonly string[]): Promise<void> {
  setup(['oracle']);
  const words = args.filter(word => word !== '--guest');
  const status = await runInGuest(['node_modules/.bin/tsx', 'bench/main.ts', 'path', ...words]);
  if (status !== 0) throw new Failure(`the measurement in the virtual machine ended with status ${status}`);
}

async function measure(request: Request): Promise<void> {
  const say = (line: string): void => {
    if (!request.json) console.log(line);
  };
  removeAbandoned();
  removeOnSignals();
  if (!request.json) heading('path');
  const here = request.subjects.filter(subject => subject.isAvailable?.() ?? true);
  const results = new Results();
  const stages = { through: await raise('through'), direct: await raise('direct') };
  try {
    if (request.wanted.includes('packets')) results.add('generator', 'alone', await generatorLimit(stages.through));
    for (let round = 1; round <= request.rounds; round++) {
      say(`round ${round} of ${request.rounds}`);
      // Every other round has the opposite order, so that no subject always follows the same one.
      const order = round % 2 === 1 ? here : here.toReversed();
      for (const subject of order)
        await turn(subject, stages, { ...request, isLast: round === request.rounds }, results);
    }
  } finally {
    for (const stage of Object.values(stages)) await stage.down();
  }
  const rows = results.rows();
  const report = { subject: 'path', machine: machine(), rounds: request.rounds, rows, targets: targets(rows) };
  writeReport('path', report);
  process.stdout.write(request.json ? `${JSON.stringify(report, null, 2)}\n` : text(rows, report.targets));
}

async function turn(
  subject: Subject,
  stages: Readonly<Record<ReplyPath, Stage>>,
  { wanted, isLast }: Request & { readonly isLast: boolean },
  results: Results,
): Promise<void> {
  const own = subject.measures.filter(name => wanted.includes(name) && (isLast || !onceOnly.includes(name)));
  if (own.length === 0) return;
  const stage = stages[subject.replies];
  const stop = await subject.start(stage);
  try {
    for (const name of own) results.add(name, subject.name, await measures[name](stage, subject));
  } finally {
    await stop();
  }
}
