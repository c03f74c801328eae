// SPDX-License-Identifier: Apache-2.0
// The cases of commands.txt: paragraphs of commands; lines that begin with # are comments.

export function readCases(text: string): string[][] {
  return text
    .split(/\n\n+/)
    .map(paragraph => paragraph.split('\n').filter(line => line !== '' && !line.startsWith('#')))
    .filter(commands => commands.length > 0);
}
