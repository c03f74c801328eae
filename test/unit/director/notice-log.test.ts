// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { NoticeLog } from '../../../src/director/notice-log.ts';

test('a notice that lasts is logged once, and again when it comes back', () => {
  const lines: string[] = [];
  const log = new NoticeLog({
    warn: (notice: unknown) => void lines.push(`warn ${notice}`),
    info: (fields: unknown) => void lines.push(`info ${JSON.stringify(fields)}`),
  });
  for (let i = 0; i < 1000; i++) log.write(['port a', 'port b']);
  expect(lines.splice(0)).toEqual(['warn port a', 'warn port b']);
  log.write(['port b']);
  log.write(['port b', 'port a']);
  expect(lines).toEqual(['info {"notice":"port a"}', 'warn port a']);
});
