// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { udpDialog } from '../../../../src/health/dialogs/udp.ts';
import { failed, hold, passed } from './hold.ts';

const dialog = (expect: string | null) => udpDialog({ type: 'udp', send: '0A0b', expect });

it.each([
  [null, '00', passed('answered with 1 byte')],
  ['', '', passed('answered with 0 bytes')],
  ['0Axb', '0adb00', passed('answered with 3 bytes')],
  ['0a1', '0a1f', passed('answered with 2 bytes')],
  ['0axx', '0a', failed('answered with 1 byte, which begin with 0a, not 0axx')],
  ['0a', '0b', failed('answered with 1 byte, which begin with 0b, not 0a')],
  ['0a', '', failed('answered with 0 bytes, which begin with nothing, not 0a')],
])('where %j is expected, %j is judged', (expected, answer, verdict) => {
  expect(hold(dialog(expected), [Buffer.from(answer, 'hex')])).toEqual({ verdict, sent: '\x0a\x0b' });
});

it('passes without an answer where none is expected', () => {
  expect(dialog(null).timedOut()).toEqual(passed('no error'));
  expect(dialog('').timedOut()).toEqual(failed('no answer'));
});
