// SPDX-License-Identifier: Apache-2.0
// Plays sequences to the real ipvsadm and the kernel's IPVS in a virtual machine.
import { availableParallelism } from 'node:os';
import { MachineError } from '../guest/system-program.ts';
import { UserModeMachine } from '../user-mode/user-mode-machine.ts';
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

/** A machine gets so many sequences: its start is a small part of its time, and progress is seen. */
const sequencesOfMachine = 20;

/** A hundred times what they take. */
const timeoutSeconds = 3600;

/** Plays the sequences, on as many machines at a time as there are processors. `onProgress` gets those that are played. */
export async function playReal(
  sequences: readonly Sequence[],
  onProgress: (played: readonly Answered[][]) => void,
): Promise<Answered[][]> {
  const machine = new UserModeMachine();
  const answered: Answered[][] = [];
  let next = 0;
  const playSome = async (): Promise<void> => {
    while (next < sequences.length) {
      const from = next;
      const some = sequences.slice(from, from + sequencesOfMachine);
      next += some.length;
      const { output, errors } = await machine.run(scriptOf(some), timeoutSeconds);
      if (errors !== '') throw new MachineError(`the shell of the machine said: ${errors}`);
      for (const [index, answers] of readAnswers(some, output).entries()) answered[from + index] = answers;
      // Without the holes of those that other machines play.
      onProgress(answered.filter(Boolean));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, playSome));
  return answered;
}
