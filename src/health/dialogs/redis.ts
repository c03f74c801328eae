// SPDX-License-Identifier: Apache-2.0
// PING to a server that speaks RESP (Redis, Valkey, KeyDB). A server that wants a password first, or whose default user
// may not PING, works. A server that loads its data, has lost its master or is busy with a script answers too, but with
// an error: it does not serve.
import { closedEarly, type Dialog, fails, passes, type Verdict } from '../dialog.ts';
import { Incoming, tooMuch } from './incoming.ts';
import { shown } from './shown.ts';

const ping = Buffer.from('*1\r\n$4\r\nPING\r\n');
const longestLine = 1024;

/** Servers before Redis 6 name no code of their own for the second. */
const needsPassword = /^-(NOAUTH|NOPERM)\b|^-ERR operation not permitted/;

function judge(line: string): Verdict {
  if (line === '+PONG') return passes('PONG');
  if (needsPassword.test(line)) return passes(`answered: ${shown(line.slice(1))}`);
  return fails(line.startsWith('-') ? `Redis: ${shown(line.slice(1))}` : `not Redis: "${shown(line)}"`);
}

export function redisDialog(): Dialog {
  const incoming = new Incoming();
  const missing = (): string => (incoming.total === 0 ? 'no answer to PING' : 'the answer to PING was not complete');
  return {
    begin: () => ({ send: ping }),
    received(bytes) {
      incoming.add(bytes);
      const line = incoming.line();
      if (line !== undefined) return { verdict: judge(line) };
      if (incoming.isOver) return { verdict: fails(tooMuch) };
      if (incoming.available <= longestLine) return {};
      return { verdict: fails(`not Redis: "${shown(incoming.peek(longestLine))}"`) };
    },
    closed: () => closedEarly(missing()),
    timedOut: () => fails(missing()),
  };
}
