// SPDX-License-Identifier: Apache-2.0
// What control exports as metrics, without the code that counts (metrics.ts).
import { family } from '../core/metrics/family.ts';

export const build = family({
  name: 'sluice_build',
  type: 'info',
  help: 'The version of Sluice that runs',
  labels: ['version'],
});

export const snapshot = family({
  name: 'sluice_snapshot',
  type: 'info',
  help: 'The id of the snapshot in force',
  labels: ['id'],
});

export const snapshotTime = family({
  name: 'sluice_snapshot_timestamp_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'When the snapshot in force came into force, in seconds since 1970; absent without a history',
  labels: [],
});

export const changes = family({
  name: 'sluice_changes',
  type: 'counter',
  help: 'Attempts to bring another snapshot into force, by what was done and by what became of it: applied or refused',
  labels: ['action', 'outcome'],
});

export const lastChange = family({
  name: 'sluice_last_change_successful',
  type: 'gauge',
  help: '0 if the last attempt to bring another snapshot into force was refused, else 1',
  labels: [],
});

export const changePending = family({
  name: 'sluice_change_pending',
  type: 'gauge',
  help: '1 while a change waits for its confirmation, without which it will be undone',
  labels: [],
});

export const warnings = family({
  name: 'sluice_warnings',
  type: 'gauge',
  help: 'Warnings of sluice status',
  labels: [],
});

export const processState = family({
  name: 'sluice_process_state',
  type: 'gauge',
  help: '1 for the state that a process is in, 0 for the other states. waiting: it has ended and will be started again; stopped: it is not configured',
  labels: ['process', 'state'],
});

export const processRestarts = family({
  name: 'sluice_process_restarts',
  type: 'counter',
  help: 'How often a process ended unexpectedly and was started again',
  labels: ['process'],
});

export const processStart = family({
  name: 'sluice_process_start_time_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'When a process began to work, in seconds since 1970',
  labels: ['process'],
});

export const planeBehind = family({
  name: 'sluice_plane_behind',
  type: 'gauge',
  help: '1 while a plane does not run by the snapshot in force, else 0',
  labels: ['plane'],
});

export const planeAnswers = family({
  name: 'sluice_plane_scrape_successful',
  type: 'gauge',
  help: '0 if the metrics of a plane are missing because its process has not answered in time, else 1',
  labels: ['plane'],
});

export const planeDuration = family({
  name: 'sluice_plane_scrape_duration_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'How long the process of a plane took for its metrics',
  labels: ['plane'],
});

export const controlFamilies = [
  build,
  snapshot,
  snapshotTime,
  changes,
  lastChange,
  changePending,
  warnings,
  processState,
  processRestarts,
  processStart,
  planeBehind,
  planeAnswers,
  planeDuration,
] as const;
