// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import type { ControlAccess } from '../../../src/daemon/composition.ts';
import { documentFormat, type sections } from '../../../src/daemon/document.ts';
import { maintenanceAnswer } from '../../../src/daemon/maintenance.ts';

it('maintenance is told of the servers that were not in it before, and its end of those that were', async () => {
  let snapshot = documentFormat.from({
    director: {
      services: [
        { tcp: '10.0.1.1:80', servers: ['10.0.2.1:80', '10.0.2.2:80'] },
        { tcp: '10.0.1.1:443', servers: [{ server: '10.0.2.1:443', maintenance: true }] },
      ],
    },
  });
  const told: string[] = [];
  const access = {
    changes: {
      edit: async (make: (before: typeof snapshot) => typeof snapshot) => {
        snapshot = make(snapshot);
        return {};
      },
    },
    tell: ({ kind, subject }: { kind: string; subject: string }) => told.push(`${kind} ${subject}`),
  } as unknown as ControlAccess<typeof sections>;
  const { handler } = maintenanceAnswer(access);
  const ask = async (on: boolean) => {
    await handler({ server: '10.0.2.1', on }, {} as Parameters<typeof handler>[1]);
    return told.splice(0);
  };
  expect(await ask(true)).toEqual(['maintenance.begun 10.0.2.1:80 of tcp 10.0.1.1:80']);
  expect(await ask(true)).toEqual([]);
  expect((await ask(false)).sort()).toEqual([
    'maintenance.ended 10.0.2.1:443 of tcp 10.0.1.1:443',
    'maintenance.ended 10.0.2.1:80 of tcp 10.0.1.1:80',
  ]);
  expect(await ask(false)).toEqual([]);
});
