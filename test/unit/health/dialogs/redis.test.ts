// SPDX-License-Identifier: Apache-2.0
// Texts are those of Redis 7.0 (src/server.c, src/networking.c) and of RESP's description.
import { expect, it } from 'vitest';
import { redisDialog } from '../../../../src/health/dialogs/redis.ts';
import { failed, hold, holdCut, passed } from './hold.ts';

it.each([
  ['+PONG\r\n', passed('PONG')],
  ['-NOAUTH Authentication required.\r\n', passed('answered: NOAUTH Authentication required.')],
  [
    "-NOPERM this user has no permissions to run the 'ping' command\r\n",
    passed("answered: NOPERM this user has no permissions to run the 'ping' command"),
  ],
  ['-ERR operation not permitted\r\n', passed('answered: ERR operation not permitted')],
  [
    '-LOADING Redis is loading the dataset in memory\r\n',
    failed('Redis: LOADING Redis is loading the dataset in memory'),
  ],
  [
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
    failed("Redis: MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
  ],
  ['-ERR max number of clients reached\r\n', failed('Redis: ERR max number of clients reached')],
  ['HTTP/1.1 400 Bad Request\r\n', failed('not Redis: "HTTP/1.1 400 Bad Request"')],
  ['+PO', failed('the connection was closed: the answer to PING was not complete')],
  ['', failed('the connection was closed: no answer to PING')],
])('%j', (answer, verdict) => {
  expect(holdCut(redisDialog, answer)).toEqual({ verdict, sent: '*1\r\n$4\r\nPING\r\n' });
});

it('ends at a line that does not end', () => {
  expect(hold(redisDialog(), [Buffer.alloc(5000, 'a')]).verdict).toEqual(failed(`not Redis: "${'a'.repeat(100)}…"`));
});
