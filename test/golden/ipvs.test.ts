// SPDX-License-Identifier: Apache-2.0
// Compares the director with the kernel's IPVS: every scenario of the oracle, with the kernel's recording.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatDifference } from '../../lab/ipvs-oracle/compare.ts';
import { compareWithRecording, loadSubject } from '../../lab/ipvs-oracle/differential.ts';
import { formatRecording, parseRecording } from '../../lab/ipvs-oracle/recording.ts';
import { readScenario, recordingFile, scenarioNames } from '../../lab/ipvs-oracle/scenario.ts';

const makeSubject = await loadSubject();
const names = scenarioNames();

describe('the recordings of the kernel', () => {
  it('cover at least 150 scenarios', () => {
    expect(names.length).toBeGreaterThanOrEqual(150);
  });

  it.each(names)('%s belongs to its scenario and reads back as it was written', name => {
    const scenario = readScenario(name);
    const text = readFileSync(recordingFile(name), 'utf8');
    expect(formatRecording(scenario, parseRecording(scenario, text))).toBe(text);
  });
});

describe.runIf(makeSubject)('the director does what the kernel does', () => {
  it.each(names)('in %s', name => {
    if (!makeSubject) return;
    expect(compareWithRecording(makeSubject, name).map(formatDifference)).toEqual([]);
  });
});
