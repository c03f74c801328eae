// SPDX-License-Identifier: Apache-2.0
// The cases of commands.txt: paragraphs of commands; lines that begin with # are comments. And those of commands.recorded.

export function readCases(text: string): string[][] {
  return text
    .split(/\n\n+/)
    .map(paragraph => paragraph.split('\n').filter(line => line !== '' && !line.startsWith('#')))
    .filter(commands => commands.length > 0);
}

/** What was recorded of each case: the answers to its commands, and the parts that the script asks for after them. */
export function readRecorded(text: string): { answers: string; parts: string[] }[] {
  return text
    .split(/^mark case \d+\n/m)
    .slice(1)
    .map(recorded => {
      const [answers = '', ...parts] = recorded.split(/^mark /m);
      return { answers, parts };
    });
}
