// SPDX-License-Identifier: Apache-2.0
// The packets were recorded from Debian's mariadbd 10.11.18 (max_connections 10; a server that knows no host; a blocked
// host), except for the answers that MySQL 8 gives: they are written from MySQL's description of the protocol.
import { expect, it } from 'vitest';
import { mysqlDialog } from '../../../../src/health/dialogs/mysql.ts';
import { failed, hold, holdCut, passed } from './hold.ts';

const handshake =
  '640000000a352e352e352d31302e31312e31382d4d6172696144422d302b6465623132753100030000003a4f5e6d2a26217100fef7080200ff8115' +
  '0000000000001d00000039656f235b243d49346a3a21006d7973716c5f6e61746976655f70617373776f726400';
const accessDenied =
  '49000002ff15042332383030304163636573732064656e69656420666f7220757365722027736c756963652740273139322e302e322e3227202875' +
  '73696e672070617373776f72643a204e4f29';
const tooManyConnections = '17000000ff1004546f6f206d616e7920636f6e6e656374696f6e73';
const server = 'MySQL 5.5.5-10.11.18-MariaDB-0+deb12u1';

const bytes = (hex: string) => Buffer.from(hex, 'hex');
const textOf = (text: string) => Buffer.from(text).toString('hex');
const verdictOf = (hex: string) => holdCut(mysqlDialog, bytes(hex)).verdict;

it('logs in after the handshake, and passes when the login is refused', () => {
  const { verdict, sent } = holdCut(mysqlDialog, bytes(handshake + accessDenied));
  expect(verdict).toEqual(passed(server));
  // HandshakeResponse41: its length and number, capabilities, longest packet, character set, 23 zeros, user, password, method.
  expect(Buffer.from(sent, 'latin1').toString('hex')).toBe(
    `3e000001${'00820800'}${'00000001'}21${'00'.repeat(23)}${textOf('sluice')}0000${textOf('mysql_native_password')}00`,
  );
});

it('passes when the login is accepted', () => {
  expect(verdictOf(`${handshake}0700000200000002000000`)).toEqual(passed(server));
});

it('answers a server that wants another method, and asks for more, with an empty password', () => {
  const method = `fe${textOf('caching_sha2_password')}00${'41'.repeat(20)}00`;
  const another = `${(method.length / 2).toString(16).padStart(2, '0')}000002${method}`;
  const { verdict, sent } = hold(mysqlDialog(), [handshake, another, '020000040104', `${accessDenied}`].map(bytes));
  expect(verdict).toEqual(passed(server));
  expect(Buffer.from(sent, 'latin1').toString('hex').slice(-16)).toBe('0000000300000005');
});

it.each([
  ['too many connections', tooManyConnections, failed('MySQL: Too many connections')],
  ['too many connections after the login', handshake + tooManyConnections, failed('MySQL: Too many connections')],
  [
    'a blocked host',
    `6a000000ff6904${textOf("Host '192.0.2.2' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'")}`,
    failed(
      "MySQL: Host '192.0.2.2' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'"
        .slice(0, 107)
        .concat('…'),
    ),
  ],
  ['an error with SQLSTATE', `0e000000ff1004${textOf('#08004Too')}`.replace('0e', '0c'), failed('MySQL: Too')],
  [
    'the old protocol',
    `0400000009352e00`,
    failed("not a handshake of MySQL's protocol 10: the packet begins with byte 9"),
  ],
  ['another protocol', textOf('SSH-2.0-OpenSSH'), failed('not MySQL: the answer begins with "SSH-"')],
  [
    'a server that asks without end',
    handshake + '01000002fe'.repeat(9),
    failed('MySQL: the answer to the login begins with byte 254'),
  ],
  ['nothing', '', failed('the connection was closed: no handshake')],
  ['half a handshake', handshake.slice(0, 40), failed('the connection was closed: the handshake was not complete')],
  ['no answer to the login', handshake, failed('the connection was closed: no answer to the login')],
])('judges %s', (_, answer, verdict) => {
  expect(verdictOf(answer)).toEqual(verdict);
});
