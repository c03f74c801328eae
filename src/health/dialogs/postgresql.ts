// SPDX-License-Identifier: Apache-2.0
// SSLRequest of PostgreSQL's protocol 3: the server answers with one byte, whether it speaks TLS or not, and needs no
// user. A server that cannot fork, or has too many clients before that, answers with ErrorResponse. A server that is
// starting answers SSLRequest already: this check says that PostgreSQL is there, not that a database can be used.
import { closedEarly, type Dialog, fails, passes, type Verdict } from '../dialog.ts';
import { Incoming } from './incoming.ts';
import { shown } from './shown.ts';

/** The length, and the request's code 1234 5679. */
const sslRequest = Buffer.from('0000000804d2162f', 'hex');
const header = 5;
const longestError = 8192;

/** The text of an ErrorResponse, as far as it has come; undefined while it is not complete. */
function errorText(message: Buffer): string | undefined {
  if (message.length < header) return undefined;
  const length = message.readUInt32BE(1);
  // A server older than 7.4, or one that cannot fork, sends a text that ends with NUL in place of fields.
  if (length > longestError) {
    const end = message.indexOf(0, 1);
    if (end === -1 && message.length <= longestError) return undefined;
    return shown(message.subarray(1, end === -1 ? undefined : end));
  }
  if (message.length < 1 + length) return undefined;
  const fields = new Map<string, string>();
  for (const field of message
    .subarray(header, 1 + length)
    .toString('utf8')
    .split('\0')) {
    if (field !== '') fields.set(field.slice(0, 1), field.slice(1));
  }
  return shown(fields.get('M') ?? 'an error without a text');
}

export function postgresqlDialog(): Dialog {
  const incoming = new Incoming();
  const missing = (): string =>
    incoming.total === 0 ? 'no answer to SSLRequest' : 'the answer to SSLRequest was not complete';

  const judge = (): Verdict | undefined => {
    const message = incoming.peek(2 * longestError);
    const kind = message.toString('latin1', 0, 1);
    if (kind === '') return undefined;
    if (kind === 'S') return passes('PostgreSQL with TLS');
    if (kind === 'N') return passes('PostgreSQL without TLS');
    if (kind !== 'E') return fails(`not PostgreSQL: the answer begins with byte ${message[0]}`);
    const text = errorText(message);
    return text === undefined ? undefined : fails(`PostgreSQL: ${text}`);
  };

  return {
    begin: () => ({ send: sslRequest }),
    received(bytes) {
      incoming.add(bytes);
      const verdict = judge();
      return verdict === undefined ? {} : { verdict };
    },
    closed: () => closedEarly(missing()),
    timedOut: () => fails(missing()),
  };
}
