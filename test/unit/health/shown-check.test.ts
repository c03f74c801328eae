// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { documentFormat } from '../../../src/daemon/document.ts';

const withCheck = (web?: unknown) => documentFormat.from(web === undefined ? {} : { health: { checks: { web } } });
const lines = (before: unknown, after: unknown) =>
  documentFormat.describe(documentFormat.compare(withCheck(before), withCheck(after)));

const http = (headers: object, path = '/up') => ({ http: { path, headers } });

it.each([
  ['added', undefined, http({ Cookie: 's3cret' }), '+ check web {"http":{"path":"/up","headers":{"Cookie":"…"}}}'],
  ['removed', http({ Cookie: 's3cret' }), undefined, '- check web {"http":{"path":"/up","headers":{"Cookie":"…"}}}'],
  [
    'with another value of a header',
    http({ Cookie: 's3cret' }),
    http({ Cookie: 's3' }),
    '~ check web: http.headers.Cookie changed',
  ],
  ['with a header more', { http: '/up' }, http({ Cookie: 's3cret' }), '~ check web: http.headers.Cookie added'],
  ['with a header less', http({ Cookie: 's3cret' }), { http: '/up' }, '~ check web: http.headers.Cookie removed'],
  [
    'with another path',
    http({ Cookie: 's3cret' }),
    http({ Cookie: 's3cret' }, '/x'),
    '~ check web: http.path "/up" → "/x"',
  ],
  ['with a setting more', 'tcp', { tcp: {}, interval: 7 }, '~ check web: interval unset → 7'],
  ['of another kind', 'tcp', 'ping', '~ check web: tcp set → unset, ping unset → set'],
  [
    'with another password of a script',
    { script: { command: ['/bin/true'], environment: { PASSWORD: 's3cret' } } },
    { script: { command: ['/bin/true'], environment: { PASSWORD: 's3' } } },
    '~ check web: script.environment.PASSWORD changed',
  ],
])('a check %s is shown without secrets', (_name, before, after, line) => {
  expect(lines(before, after)).toEqual([line]);
});
