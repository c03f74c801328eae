// SPDX-License-Identifier: Apache-2.0
// Routes that answer with text instead of JSON.
import Type from 'typebox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from '../../../../src/core/api/client.ts';
import { answering, parametersSchema, route } from '../../../../src/core/api/route.ts';
import { HostError } from '../../../../src/core/errors.ts';
import { exchange, type Served, serve } from './served.ts';

const types = ['text/plain; version=1', 'text/csv'] as const;
const table = route({
  method: 'GET',
  path: '/plane/table',
  summary: 'A table',
  parameters: parametersSchema({ fails: Type.Optional(Type.Boolean()) }),
  answer: Type.String(),
  text: types,
});

let served: Served;
let client: ApiClient;
beforeAll(async () => {
  served = await serve({
    answers: [
      answering(table, ({ fails }, { mediaType }) => {
        if (fails) throw new HostError('there is no table', { remedy: 'make one' });
        return mediaType === 'text/csv' ? 'a,ü\n' : 'a ü\n';
      }),
    ],
  });
  client = new ApiClient(served.path);
});
afterAll(() => served.stop());

it('sends the first type, or the one that the client likes', async () => {
  expect(await client.text(table, {})).toBe('a ü\n');
  expect(await client.text(table, {}, { accept: 'text/csv' })).toBe('a,ü\n');
});

it('says which type it has sent, in bytes as long as it says', async () => {
  const received = await exchange(served.path, 'GET /plane/table HTTP/1.1\r\naccept: text/csv\r\n\r\n');
  expect(received).toMatch(/^HTTP\/1\.1 200 /);
  expect(received).toMatch(/\r\ncontent-type: text\/csv\r\n/i);
  expect(received).toMatch(/\r\ncontent-length: 5\r\n/i);
  expect(received).toMatch(/\r\nvary: accept\r\n/i);
});

it('refuses as other routes do', async () => {
  await expect(client.text(table, { fails: true })).rejects.toMatchObject({ name: 'HostError', remedy: 'make one' });
});

it('cannot be a stream', () => {
  expect(() => route({ ...table, streams: true })).toThrow('a stream has lines of JSON');
});
