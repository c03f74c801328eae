// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EventLog } from '../../../src/control/events/event-log.ts';
import type { ApiClient } from '../../../src/core/api/client.ts';
import { VirtualClock } from '../../../src/core/clock.ts';
import { createLogger } from '../../../src/core/logger.ts';
import { documentFormat } from '../../../src/daemon/document.ts';
import { DrainWatch, lookMilliseconds } from '../../../src/daemon/drain-watch.ts';

let folder = '';
let clock = new VirtualClock();
let events: EventLog;
let watch: DrainWatch;

const snapshotOf = (maintenance: boolean) =>
  documentFormat.from({
    director: {
      services: [
        {
          tcp: '10.0.1.1:80',
          servers: [{ server: '10.0.2.1:80', ...(maintenance && { maintenance }) }, '10.0.2.2:80'],
        },
      ],
    },
  });

let snapshot = snapshotOf(false);
let connections = { active: 1, inactive: 1, persistent: 0 };
let asked = 0;

const director = {
  call: async () => {
    asked += 1;
    const servers = ['10.0.2.1', '10.0.2.2'].map(address => ({ address, port: 80, ...connections }));
    return [{ identity: { protocol: 'tcp', address: '10.0.1.1', port: 80 }, servers }];
  },
} as unknown as ApiClient;

async function begin(): Promise<void> {
  const logger = createLogger({ level: 'silent' });
  events = await EventLog.open({ folder: { path: folder, shown: folder }, clock, logger });
  watch = new DrainWatch({ snapshot: () => snapshot, plane: () => director, events, clock });
  void watch.run();
}

async function end(): Promise<void> {
  watch.stop();
  await events.close();
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-drain-'));
  clock = new VirtualClock();
  snapshot = snapshotOf(false);
  connections = { active: 1, inactive: 1, persistent: 0 };
  asked = 0;
  await begin();
});

afterEach(async () => {
  await end();
  rmSync(folder, { recursive: true });
});

const look = (): Promise<void> => clock.advance(lookMilliseconds);
const told = (): string[] => events.events.map(({ kind, text }) => `${kind} ${text}`);
const drained =
  'maintenance.drained real server 10.0.2.1:80 of tcp 10.0.1.1:80 has no connections any more: it is safe to stop it';

it('nobody is asked while no server is in maintenance', async () => {
  connections = { active: 0, inactive: 0, persistent: 0 };
  await look();
  await look();
  expect([asked, told()]).toEqual([0, []]);
});

it('the end of the last connection is told, once, also when control is replaced', async () => {
  snapshot = snapshotOf(true);
  for (let count = 0; count < 3; count++) await look();
  expect(told()).toEqual([]);
  // Ends of TCP connections are remembered, and need no server.
  connections = { active: 0, inactive: 5, persistent: 0 };
  await look();
  await look();
  expect(told()).toEqual([drained]);
  await end();
  await begin();
  for (let count = 0; count < 3; count++) await look();
  expect(told()).toEqual([drained]);
});

it('a server that was back meanwhile is told again', async () => {
  connections = { active: 0, inactive: 0, persistent: 2 };
  for (const maintenance of [true, false, true]) {
    snapshot = snapshotOf(maintenance);
    await look();
    await look();
  }
  expect(told()).toEqual(Array.from({ length: 2 }, () => `${drained}; persistence keeps 2 clients on it`));
});

it('a server that is in maintenance only now may still get what was on its way', async () => {
  connections = { active: 0, inactive: 0, persistent: 0 };
  snapshot = snapshotOf(true);
  await look();
  expect(told()).toEqual([]);
  await look();
  expect(told()).toEqual([drained]);
});
