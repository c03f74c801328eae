// SPDX-License-Identifier: Apache-2.0
// `npm run lab -- ipvsadm`: random sequences of ipvsadm's commands, to the real ipvsadm in a virtual machine and to Sluice's.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { record } from '../../tools/results.ts';
import { setup } from '../../tools/setup.ts';
import { removeOnSignals } from '../topology/signals.ts';
import { firstDifference } from './compare.ts';
import { generateSequence } from './generate.ts';
import { playReal } from './real.ts';
import { type Answered, formatSequences, readSequences } from './sequence.ts';

const usage = `Usage: npm run lab -- ipvsadm [OPTION…]

Plays random sequences of ipvsadm's commands to the real ipvsadm and the kernel's IPVS, in a virtual machine, and to
Sluice's ipvsadm, and compares output, error text and exit status byte for byte. Needs root, for the machine's files.

  --random N --seed S
                 plays N sequences; all of them, with the real answers, are kept in out/ipvsadm/random-S.recorded
  --file FILE    compares with the answers in FILE instead, without a virtual machine; for example
                 test/golden/ipvsadm/random.recorded
  --most N       prints the first N differences; 10 unless given
  --help         prints this text
`;

const folder = join('out', 'ipvsadm');

async function play(count: number, seed: number): Promise<readonly Answered[][]> {
  setup(['oracle']);
  removeOnSignals();
  const sequences = Array.from({ length: count }, (_, index) => generateSequence(seed, index));
  const file = join(folder, `random-${seed}.recorded`);
  mkdirSync(folder, { recursive: true });
  // Each time the whole: a run that is interrupted leaves what it has played.
  return await playReal(sequences, played => {
    writeFileSync(file, formatSequences(played));
    process.stdout.write(`${played.length} of ${count} sequences played\n`);
  });
}

async function compare(played: readonly Answered[][], most: number): Promise<number> {
  let failed = 0;
  for (const [index, sequence] of played.entries()) {
    const difference = await firstDifference(sequence);
    if (difference === undefined) continue;
    failed += 1;
    if (failed <= most) process.stdout.write(`sequence ${index}\n${difference}\n`);
  }
  const passed = played.length - failed;
  record('ipvsadm-random', { passed, failed, skipped: 0 });
  process.stdout.write(
    failed === 0 ? `${passed} sequences agree\n` : `${passed} of ${played.length} sequences agree\n`,
  );
  return failed === 0 ? 0 : 1;
}

/** The exit status: 0 done, 1 failed, 2 misuse. */
export async function ipvsadm(args: readonly string[]): Promise<number> {
  const options = {
    random: { type: 'string' },
    seed: { type: 'string', default: '1' },
    file: { type: 'string' },
    most: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    const { random, seed, file, most, help } = parseArgs({ args: [...args], options }).values;
    if (help) {
      process.stdout.write(usage);
      return 0;
    }
    const numbers = [random ?? '1', seed, most];
    if ((random === undefined) === (file === undefined) || !numbers.every(text => /^\d{1,9}$/.test(text))) {
      process.stderr.write(usage);
      return 2;
    }
    const played =
      file === undefined ? await play(Number(random), Number(seed)) : readSequences(readFileSync(file, 'utf8'));
    return await compare(played, Number(most));
  } catch (error) {
    process.stderr.write(`ipvsadm: ${error instanceof Error ? error.message : error}\n`);
    return error instanceof TypeError ? 2 : 1;
  }
}
