// SPDX-License-Identifier: Apache-2.0
// Compares what Sluice answers to a sequence with what the real ipvsadm has answered, byte for byte.
import { type Answered, formatAnswer, formatInvocation } from './sequence.ts';
import { playSluice } from './sluice.ts';

/** The text without the order of services, which without sorting is the kernel's own at each boot. */
function comparable({ invocation: { words, input = '' }, answer }: Answered): string {
  const isUnsorted = words.includes('--nosort') || input.includes('--nosort');
  const stdout = isUnsorted
    ? answer.stdout
        .split(/\n(?! )/)
        .toSorted()
        .join('\n')
    : answer.stdout;
  return formatAnswer({ ...answer, stdout });
}

/** The first command of the sequence whose answers differ, in words; undefined where all are the same. */
export async function firstDifference(real: readonly Answered[]): Promise<string | undefined> {
  const ours = await playSluice(real.map(({ invocation }) => invocation));
  const at = real.findIndex((answered, index) => comparable(answered) !== comparable(ours[index] ?? answered));
  const [one, other] = [real[at], ours[at]];
  if (one === undefined || other === undefined) return undefined;
  const before = real.slice(0, at).filter(({ answer: { stdout } }) => stdout === '');
  const lines = [
    ...before.map(({ invocation, answer }) => formatInvocation(invocation) + formatAnswer(answer)),
    formatInvocation(one.invocation),
    `ipvsadm:\n${formatAnswer(one.answer)}`,
    `sluice:\n${formatAnswer(other.answer)}`,
  ];
  return lines.join('');
}
