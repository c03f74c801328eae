// SPDX-License-Identifier: Apache-2.0
// A replay as text for people. Numbers are printed equally in every locale.
import type { Explanation } from './decision-writer.ts';
import type { ReplaySummary } from './session.ts';

/** The explanation of one packet: the packet, the decision with its steps, and the sent packets. */
export function explanationText(explanation: Explanation): string {
  const { n, port, time, packet, sent, timers } = explanation;
  const timed = timers.map(frame => `timer ${frame.time}\n   > ${frame.port} #${frame.n} ${frame.packet}\n\n`);
  const lines = [`#${n} ${port} ${time}`, `   ${packet}`, ...decisionLines(explanation)];
  lines.push(...sent.map(frame => `   > ${frame.port} #${frame.n} ${frame.packet}`));
  return `${timed.join('')}${lines.join('\n')}\n\n`;
}

/** The lines of a decision. All commands that explain decisions print them. */
export function decisionLines(
  decision: Parties & Pick<Explanation, 'verdict' | 'reason' | 'meaning'> & { readonly steps?: readonly string[] },
): string[] {
  const { verdict, reason, meaning, steps = [] } = decision;
  const parties = partiesText(decision);
  return [
    `   ${verdict}, ${reason}: ${meaning}`,
    ...(parties === '' ? [] : [`   ${parties}`]),
    ...steps.map(step => `   - ${step}`),
  ];
}

type Parties = Pick<Explanation, 'service' | 'server' | 'mode'>;

/** "tcp 10.0.1.100:80, real server 10.0.2.11:8080, nat" */
export function partiesText({ service, server, mode }: Parties): string {
  return [service, server === undefined ? undefined : `real server ${server}`, mode]
    .filter(part => part !== undefined)
    .join(', ');
}

export function summaryText(summary: ReplaySummary): string {
  const { frames, inputs, outputs, reasons, cutFrames, lateFrames, mergedFrames } = summary;
  const lines = [`${count(frames, 'frame')} from ${count(inputs.length, 'capture')}`];
  const width = Math.max(...reasons.map(row => String(row.frames).length), 0);
  const nameWidth = Math.max(...reasons.map(row => row.name.length), 0);
  for (const row of reasons) {
    const number = String(row.frames).padStart(width);
    lines.push(`  ${number}  ${row.verdict.padEnd('consume'.length)}  ${row.name.padEnd(nameWidth)}  ${row.meaning}`);
  }
  lines.push(`sent: ${outputs.map(({ port, frames: sent }) => `${port} ${sent}`).join(', ')}`);
  if (cutFrames > 0)
    lines.push(`${count(cutFrames, 'frame')} captured in part (snap length), judged by the captured bytes`);
  if (mergedFrames > 0)
    lines.push(`${count(mergedFrames, 'frame')} longer than the MTU of its port, taken to be of several TCP segments`);
  if (lateFrames > 0)
    lines.push(
      `${count(lateFrames, 'frame')} with an earlier time stamp than a frame before, taken in the order of the file`,
    );
  return lines.map(line => `${line}\n`).join('');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
