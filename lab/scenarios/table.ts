// SPDX-License-Identifier: Apache-2.0
import { changeScenarios } from './changes.ts';
import { datagramScenarios } from './datagrams.ts';
import { linkScenarios } from './links.ts';
import { loadScenarios } from './load.ts';
import { modeScenarios } from './modes.ts';
import type { Scenario } from './scenario.ts';

export const scenarios: readonly Scenario[] = [
  ...modeScenarios,
  ...datagramScenarios,
  ...changeScenarios,
  ...linkScenarios,
  ...loadScenarios,
];
