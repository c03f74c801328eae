// SPDX-License-Identifier: Apache-2.0
import { changeScenarios } from './changes.ts';
import { costScenarios } from './cost.ts';
import { datagramScenarios } from './datagrams.ts';
import { directorScenarios } from './director.ts';
import { disturbanceScenarios } from './disturbances.ts';
import { healthScenarios } from './health.ts';
import { linkScenarios } from './links.ts';
import { loadScenarios } from './load.ts';
import { localNodeScenarios } from './local-node.ts';
import { markScenarios } from './marks.ts';
import { modeScenarios } from './modes.ts';
import { proxyProtocolScenarios } from './proxy-protocol.ts';
import type { Scenario } from './scenario.ts';
import { stealingScenarios } from './stealing.ts';
import { xdpScenarios } from './xdp.ts';

export const scenarios: readonly Scenario[] = [
  ...modeScenarios,
  ...datagramScenarios,
  ...changeScenarios,
  ...linkScenarios,
  ...loadScenarios,
  ...directorScenarios,
  ...proxyProtocolScenarios,
  ...disturbanceScenarios,
  ...markScenarios,
  ...localNodeScenarios,
  ...healthScenarios,
  ...stealingScenarios,
  ...costScenarios,
  ...xdpScenarios,
];
