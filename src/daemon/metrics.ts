// SPDX-License-Identifier: Apache-2.0
// All families of metrics that a running sluice exports, over all planes.
import { controlFamilies } from '../control/metric-families.ts';
import type { FamilyList } from '../core/metrics/reference.ts';
import { directorFamilies } from '../director/metric-families.ts';
import { healthFamilies } from '../health/metric-families.ts';

export const familyLists: readonly FamilyList[] = [
  { title: 'control', families: controlFamilies },
  { title: 'director', families: directorFamilies },
  { title: 'health', families: healthFamilies },
];
