// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { HealthMetrics } from '../../../src/health/metrics.ts';
import { samplesOf } from '../core/metrics/samples.ts';
import { failed, modelOf, monitorOf, passed } from './engine/engine.ts';

const alive = { tcp: {}, interval: 1, jitter: 0, rise: 1, fall: 1 };
const one = { servers: ['10.0.2.1:80'], health: 'alive' };

it('counts probes with their time, and changes of state; the first state is no change', async () => {
  const { monitor, clock, answers } = monitorOf(modelOf({ alive }, [one]));
  const metrics = new HealthMetrics();
  expect(samplesOf(metrics.collect(monitor))).toMatchObject({
    'sluice_health_check_up{alive,10.0.2.1:80}': 0,
    'sluice_health_check_unknown{alive,10.0.2.1:80}': 1,
    'sluice_health_target_up{tcp 10.0.1.1:80,10.0.2.1:80}': 1,
    'sluice_health_target_unknown{tcp 10.0.1.1:80,10.0.2.1:80}': 1,
  });
  await clock.advance(600);
  for (const result of [failed, passed, { ...failed, isOpen: true as const }, { ...failed, milliseconds: 98 }]) {
    answers.set('alive 10.0.2.1', result);
    await clock.advance(1000);
  }
  expect(samplesOf(metrics.collect(monitor))).toEqual({
    'sluice_health_groups{}': 1,
    'sluice_health_targets{}': 1,
    'sluice_health_checks{}': 1,
    'sluice_health_group_quorum{tcp 10.0.1.1:80}': 0,
    'sluice_health_target_up{tcp 10.0.1.1:80,10.0.2.1:80}': 0,
    'sluice_health_target_unknown{tcp 10.0.1.1:80,10.0.2.1:80}': 0,
    'sluice_health_target_transitions_total{tcp 10.0.1.1:80,10.0.2.1:80}': 3,
    'sluice_health_check_up{alive,10.0.2.1:80}': 0,
    'sluice_health_check_unknown{alive,10.0.2.1:80}': 0,
    'sluice_health_check_flapping{alive,10.0.2.1:80}': 0,
    'sluice_health_check_transitions_total{alive,10.0.2.1:80}': 3,
    'sluice_health_check_probes_total{alive,10.0.2.1:80,passed}': 2,
    'sluice_health_check_probes_total{alive,10.0.2.1:80,failed}': 2,
    'sluice_health_check_probes_total{alive,10.0.2.1:80,undecided}': 1,
    'sluice_health_check_duration_seconds{alive,10.0.2.1:80}': {
      count: 5,
      sum: expect.closeTo(0.102, 9),
    },
  });
});

it('keeps counts over a change of other services', async () => {
  const { monitor, clock } = monitorOf(modelOf({ alive }, [one]));
  const metrics = new HealthMetrics();
  await clock.advance(5600);
  const before = samplesOf(metrics.collect(monitor));
  monitor.configure(modelOf({ alive }, [one, { servers: ['10.0.2.2:80'], health: 'alive' }]));
  const passes = 'sluice_health_check_probes_total{alive,10.0.2.1:80,passed}';
  expect(before[passes]).toBe(6);
  expect(samplesOf(metrics.collect(monitor))[passes]).toBe(6);
});
