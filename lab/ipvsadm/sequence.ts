// SPDX-License-Identifier: Apache-2.0
// Sequences of ipvsadm's commands with what was answered, as text. A sequence begins with an empty table. Each command is
// `$ ` and its words as a shell takes them, then the lines of standard input (`< `), standard output (`| `) and standard error
// (`! `), then `=> ` and the exit status. A last line without an end has a backslash after the sign: `|\`.

export interface Invocation {
  readonly words: readonly string[];
  /** What -R reads. */
  readonly input?: string;
}

export type Sequence = readonly Invocation[];

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

export interface Answered {
  readonly invocation: Invocation;
  readonly answer: Answer;
}

/** The word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w.:,=/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function formatSequence(sequence: readonly Answered[]): string {
  return sequence.map(({ invocation, answer }) => formatInvocation(invocation) + formatAnswer(answer)).join('');
}

export function formatInvocation({ words, input = '' }: Invocation): string {
  return `$ ${words.map(quoted).join(' ')}\n${signed('<', input)}`;
}

export function formatAnswer({ stdout, stderr, status }: Answer): string {
  return `${signed('|', stdout)}${signed('!', stderr)}=> ${status}\n`;
}

function signed(sign: string, text: string): string {
  if (text === '') return '';
  const lines = text.split('\n');
  const last = lines.pop();
  return lines.map(line => `${sign} ${line}\n`).join('') + (last === '' ? '' : `${sign}\\${last}\n`);
}

export function formatSequences(sequences: readonly (readonly Answered[])[]): string {
  return sequences.map((sequence, index) => `sequence ${index}\n${formatSequence(sequence)}\n`).join('');
}

/** Reads what formatSequences has written. */
export function readSequences(text: string): Answered[][] {
  return text
    .split(/^sequence \d+\n/m)
    .slice(1)
    .map(readSequence);
}

function readSequence(text: string): Answered[] {
  return text
    .split(/^(?=\$ )/m)
    .filter(part => part.startsWith('$ '))
    .map(part => {
      const lines = part.trimEnd().split('\n');
      const words = [...(lines[0] ?? '').slice(2).matchAll(/'((?:[^']|'\\'')*)'|([^' ]+)/g)].map(
        ([, inQuotes, plain]) => inQuotes?.replaceAll("'\\''", "'") ?? plain ?? '',
      );
      const of = (sign: string): string =>
        lines
          .filter(line => line.startsWith(`${sign} `) || line.startsWith(`${sign}\\`))
          .map(line => line.slice(2) + (line.startsWith(`${sign} `) ? '\n' : ''))
          .join('');
      const input = of('<');
      const status = Number(/^=> (\d+)$/m.exec(part)?.[1]);
      return {
        invocation: input === '' ? { words } : { words, input },
        answer: { stdout: of('|'), stderr: of('!'), status },
      };
    });
}
