// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import type { ControlAccess } from '../../../src/daemon/composition.ts';
import { documentFormat, type Snapshot, type sections } from '../../../src/daemon/document.ts';
import { ipvsadmAnswer } from '../../../src/daemon/ipvsadm.ts';

interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/** A control whose director answers when it is told to. */
function control() {
  let snapshot: Snapshot = documentFormat.from({});
  let release: (rows: readonly never[]) => void = () => undefined;
  const counted = new Promise<readonly never[]>(resolve => {
    release = resolve;
  });
  const access = {
    changes: {
      edit: async (make: (now: Snapshot) => Promise<Snapshot>) => {
        snapshot = await make(snapshot);
      },
    },
    snapshot: () => snapshot,
    plane: () => ({ call: () => counted }),
  } as unknown as ControlAccess<typeof sections>;
  const { handler } = ipvsadmAnswer(access);
  const ipvsadm = (...args: string[]) => handler({ args }, { signal: AbortSignal.timeout(60_000) }) as Promise<Answer>;
  return { ipvsadm, release: () => release([]) };
}

it('a list that waits holds no change up', async () => {
  const { ipvsadm, release } = control();
  let isListed = false;
  const list = ipvsadm('-L', '-n').then(answer => {
    isListed = true;
    return answer;
  });
  expect(await ipvsadm('-A', '-t', '10.0.1.1:80')).toMatchObject({ status: 0, stderr: '' });
  expect(isListed).toBe(false);
  release();
  expect((await list).stdout).not.toContain('10.0.1.1:80');
  expect((await ipvsadm('-L', '-n')).stdout).toContain('TCP  10.0.1.1:80 wlc\n');
});

it('changes are made in the order in which they were asked for', async () => {
  const { ipvsadm } = control();
  const answers = await Promise.all([
    ipvsadm('-A', '-t', '10.0.1.1:80'),
    ipvsadm('-A', '-t', '10.0.1.1:80'),
    ipvsadm('-D', '-t', '10.0.1.1:80'),
    ipvsadm('-D', '-t', '10.0.1.1:80'),
  ]);
  expect(answers.map(({ stderr }) => stderr)).toEqual(['', 'Service already exists\n', '', 'No such service\n']);
});
