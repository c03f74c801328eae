// SPDX-License-Identifier: Apache-2.0
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Connection } from '../../../../src/core/api/connection.ts';

it('answers one request after another, and begins the first at once', async () => {
  const connection = new Connection(new Socket());
  const log: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    log.push(`${name} begins`);
    await new Promise(setImmediate);
    log.push(`${name} ends`);
  };
  const first = connection.inTurn(work('one'));
  expect(log).toEqual(['one begins']);
  await Promise.all([first, connection.inTurn(work('two')), connection.inTurn(work('three'))]);
  expect(log).toEqual(['one begins', 'one ends', 'two begins', 'two ends', 'three begins', 'three ends']);
});
