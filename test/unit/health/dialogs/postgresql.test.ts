// SPDX-License-Identifier: Apache-2.0
// The ErrorResponse was recorded from Debian's postgres 15 (a startup packet without a user); the other answers are those
// of PostgreSQL's description of its protocol, "Message Flow" and "SSL Session Encryption".
import { expect, it } from 'vitest';
import { postgresqlDialog } from '../../../../src/health/dialogs/postgresql.ts';
import { failed, holdCut, passed } from './hold.ts';

const errorResponse =
  '450000007953464154414c0056464154414c00433238303030004d6e6f20506f737467726553514c2075736572206e616d65207370656369666965' +
  '6420696e2073746172747570207061636b65740046706f73746d61737465722e63004c32333531005250726f63657373537461727475705061636b' +
  '65740000';
const hexOf = (text: string) => Buffer.from(text).toString('hex');

it.each([
  ['53', passed('PostgreSQL with TLS')],
  ['4e', passed('PostgreSQL without TLS')],
  [errorResponse, failed('PostgreSQL: no PostgreSQL user name specified in startup packet')],
  [
    hexOf('Ecould not fork new process for connection\n\0'),
    failed('PostgreSQL: could not fork new process for connection'),
  ],
  [hexOf('HTTP/1.1 400'), failed('not PostgreSQL: the answer begins with byte 72')],
  ['', failed('the connection was closed: no answer to SSLRequest')],
  ['450000', failed('the connection was closed: the answer to SSLRequest was not complete')],
])('%s', (answer, verdict) => {
  expect(holdCut(postgresqlDialog, Buffer.from(answer, 'hex'))).toEqual({
    verdict,
    sent: '\0\0\0\x08\x04\xd2\x16\x2f',
  });
});
