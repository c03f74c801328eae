// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { failuresOf, type Step, tableOf, totalOf } from '../../../scripts/steps.ts';

const passed: Step = { command: 'npm run check', seconds: 27.4, failed: false };
const failed: Step = { command: 'npm run lab', seconds: 241, failed: true };
const counted = new Map([['test', { passed: 90, failed: 0, skipped: 0 }]]);

describe('the table of steps', () => {
  it('has the seconds of each and of all, and says which failed', () => {
    expect(tableOf([passed, failed]).split('\n')).toEqual([
      'npm run check      27 s',
      'npm run lab       241 s  FAILED',
      'all               268 s',
    ]);
  });
});

describe('the total of steps', () => {
  it('is the sum of the counts of their tests', () => {
    expect(totalOf([passed], counted)).toEqual({ passed: 90, failed: 0, skipped: 0 });
  });

  it('counts a step that failed without a failing test as one', () => {
    expect(totalOf([passed, failed], counted)).toEqual({ passed: 90, failed: 1, skipped: 0 });
  });

  it('counts a step and its failing tests once', () => {
    const twoFailed = new Map([['lab', { passed: 1, failed: 2, skipped: 0 }]]);
    expect(totalOf([failed], twoFailed)).toEqual({ passed: 1, failed: 2, skipped: 0 });
  });
});

describe('the failures of steps', () => {
  it('name the run and the test', () => {
    const run = { passed: 1, failed: 1, skipped: 0, failures: ['test/a.test.ts: forwards: expected 1 to be 2'] };
    const runs = new Map([...counted, ['test-node24', run]]);
    expect(failuresOf(runs)).toEqual(['FAILED test-node24: test/a.test.ts: forwards: expected 1 to be 2']);
  });
});
