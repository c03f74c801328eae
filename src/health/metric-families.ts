// SPDX-License-Identifier: Apache-2.0
// What health checks export as metrics, without the code that counts (metrics.ts).
import { family } from '../core/metrics/family.ts';

/** Checks of destinations, targets and groups beyond these have series together: `other`. */
export const mostChecks = 2000;
export const mostTargets = 2000;
export const mostGroups = 500;

const check = ['check', 'destination'] as const;
const target = ['group', 'target'] as const;

export const checkUp = family({
  name: 'sluice_health_check_up',
  type: 'gauge',
  help: '1 if the check of a destination is up, 0 if it is down or has no result yet',
  labels: check,
});

export const checkUnknown = family({
  name: 'sluice_health_check_unknown',
  type: 'gauge',
  help: '1 while the check of a destination has no result yet, else 0',
  labels: check,
});

export const checkFlapping = family({
  name: 'sluice_health_check_flapping',
  type: 'gauge',
  help: '1 while the check went down often lately and needs more successes to come back, else 0',
  labels: check,
});

export const checkTransitions = family({
  name: 'sluice_health_check_transitions',
  type: 'counter',
  help: 'How often the check of a destination went from up to down or back',
  labels: check,
});

export const checkProbes = family({
  name: 'sluice_health_check_probes',
  type: 'counter',
  help: 'Probes by their result: passed, failed, or undecided because this host lacked something',
  labels: ['check', 'destination', 'result'],
});

export const checkDuration = family({
  name: 'sluice_health_check_duration_seconds',
  type: 'summary',
  unit: 'seconds',
  help: 'How long probes took',
  labels: check,
});

export const targetUp = family({
  name: 'sluice_health_target_up',
  type: 'gauge',
  help: '1 if a target of checks, such as a real server in its service, counts as up, else 0',
  labels: target,
});

export const targetUnknown = family({
  name: 'sluice_health_target_unknown',
  type: 'gauge',
  help: '1 while no results have decided about the target yet, else 0',
  labels: target,
});

export const targetTransitions = family({
  name: 'sluice_health_target_transitions',
  type: 'counter',
  help: 'How often a target went from up to down or back',
  labels: target,
});

export const groupQuorum = family({
  name: 'sluice_health_group_quorum',
  type: 'gauge',
  help: '1 if enough targets of a group, such as a service, are up for its quorum, else 0',
  labels: ['group'],
});

export const groups = family({
  name: 'sluice_health_groups',
  type: 'gauge',
  help: 'Groups of targets, such as services with checks',
  labels: [],
});

export const targets = family({
  name: 'sluice_health_targets',
  type: 'gauge',
  help: 'Targets of all groups',
  labels: [],
});

export const checks = family({
  name: 'sluice_health_checks',
  type: 'gauge',
  help: 'Checks of destinations at work; one that several targets want is made once',
  labels: [],
});

export const healthFamilies = [
  groups,
  targets,
  checks,
  groupQuorum,
  targetUp,
  targetUnknown,
  targetTransitions,
  checkUp,
  checkUnknown,
  checkFlapping,
  checkTransitions,
  checkProbes,
  checkDuration,
] as const;
