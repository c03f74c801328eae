// SPDX-License-Identifier: Apache-2.0
// Plays sequences to the real ipvsadm and the kernel's IPVS in a virtual machine.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../tools/command.ts';
import { MachineError } from '../guest/system-program.ts';
import { hosts } from './names.ts';
import { type Answer, type Answered, quoted, type Sequence } from './sequence.ts';

/** Ends each answer, on a line with the exit status, and twice each sequence. No answer has this character. */
const mark = '\x1e';

const schedulerModules = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'dh', 'mh', 'lblc', 'lblcr', 'fo', 'ovf'];

/** What a shell of the virtual machine runs. It prints, of each sequence, what went to standard output, then the errors. */
export function scriptOf(sequences: readonly Sequence[]): string {
  const lines = [
    `modprobe -a ip_vs ip_vs_pe_sip ${schedulerModules.map(name => `ip_vs_${name}`).join(' ')}`,
    // The kernel looks for no more modules: this takes a second for each name that there is not.
    'echo > /proc/sys/kernel/modprobe',
    // QEMU translates a program once, as its addresses do not change.
    'echo 0 > /proc/sys/kernel/randomize_va_space',
    `printf '%s\\n' ${hosts.map(({ address, name }) => quoted(`${address} ${name}`)).join(' ')} > /etc/hosts`,
    ': > /etc/resolv.conf',
    'o=/tmp/out e=/tmp/err',
    `r() { ipvsadm "$@" >>$o 2>>$e; printf '\\036%d\\n' $? >>$o; printf '\\036\\n' >>$e; }`,
    'exec </dev/null',
  ];
  for (const sequence of sequences) {
    lines.push(': >$o; : >$e; ipvsadm -C; ipvsadm --set 900 120 300');
    for (const { words, input } of sequence) {
      const line = `r ${words.map(quoted).join(' ')}`;
      // A here-document ends with the end of a line, always.
      lines.push(input === undefined ? line : `${line} <<'INPUT'\n${input.replace(/\n$/, '')}\nINPUT`);
    }
    lines.push(`printf '\\036\\036\\n' >>$e; cat $o $e`);
  }
  return `${lines.join('\n')}\n`;
}

/** Reads what the script has printed. */
export function readAnswers(sequences: readonly Sequence[], output: string): Answered[][] {
  const parts = output.split(`${mark}${mark}\n`);
  return sequences.map((sequence, index) => {
    const answers = answersIn(parts[index] ?? '');
    return sequence.map((invocation, at) => {
      const answer = answers[at];
      if (answer === undefined) throw new MachineError(`the virtual machine has not answered all of sequence ${index}`);
      return { invocation, answer };
    });
  });
}

function answersIn(part: string): Answer[] {
  const answers: Answer[] = [];
  // Output, and a line with the mark and the status, for each command; then the errors, each with a line of the mark.
  const pieces = part.split(mark);
  const count = (pieces.length - 1) / 2;
  let stdout = pieces[0] ?? '';
  for (let at = 0; at < count; at++) {
    const [, status = '', after = ''] = /^(\d+)\n([\s\S]*)$/.exec(pieces[at + 1] ?? '') ?? [];
    answers.push({ stdout, stderr: '', status: Number(status) });
    stdout = after;
  }
  // What follows the last status is the first error.
  const stderrs = [stdout, ...pieces.slice(count + 1).map(text => text.replace(/^\n/, ''))];
  return answers.map((answer, at) => ({ ...answer, stderr: stderrs[at] ?? '' }));
}

export async function playReal(sequences: readonly Sequence[]): Promise<Answered[][]> {
  // Not below /tmp, where the machine has a memory of its own.
  const out = join(projectRoot, 'out');
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, 'ipvsadm-'));
  try {
    const script = join(folder, 'script');
    writeFileSync(script, scriptOf(sequences));
    return readAnswers(sequences, await outputOfGuest(['sh', script]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The virtual machine writes to the output of its process, so it gets a process of its own. */
function outputOfGuest(command: readonly string[]): Promise<string> {
  const program = join(projectRoot, 'node_modules/.bin/tsx');
  const guest = spawn(program, [join(import.meta.dirname, 'guest.ts'), ...command], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const parts: Buffer[] = [];
  guest.stdout.on('data', (part: Buffer) => parts.push(part));
  return new Promise((resolve, reject) => {
    guest.on('error', reject);
    guest.on('close', status => {
      if (status === 0) resolve(Buffer.concat(parts).toString());
      else reject(new MachineError(`the virtual machine ended with ${status}`));
    });
  });
}
