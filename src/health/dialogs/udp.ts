// SPDX-License-Identifier: Apache-2.0
// A datagram, and what is expected in return. Without an expectation the probe passes as soon as anything comes, or when
// its time passes without an ICMP error.
import { type Dialog, fails, passes } from '../dialog.ts';
import type { ProbeOf } from '../model.ts';

const shownBytes = 16;

export function udpDialog(probe: ProbeOf<'udp'>): Dialog {
  return {
    begin: () => ({ send: Buffer.from(probe.send, 'hex') }),
    received(bytes) {
      const answered = `answered with ${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}`;
      const answer = Buffer.from(bytes).toString('hex');
      const beginsAsExpected = [...(probe.expect ?? '').toLowerCase()].every((digit, at) =>
        digit === 'x' ? at < answer.length : digit === answer[at],
      );
      if (beginsAsExpected) return { verdict: passes(answered) };
      const start = answer.slice(0, 2 * shownBytes);
      return {
        verdict: fails(`${answered}, which begin with ${start === '' ? 'nothing' : start}, not ${probe.expect}`),
      };
    },
    closed: () => fails('no answer'),
    timedOut: () => (probe.expect === null ? passes('no error') : fails('no answer')),
  };
}
