// SPDX-License-Identifier: Apache-2.0
// MySQL and MariaDB speak first: the handshake of protocol 10, or an error such as "Too many connections". A server counts
// a client that leaves without an answer as a connection error, and blocks its address after 100 of them
// (max_connect_errors) without a login in between: the check itself would take the server down. So the check logs in as
// `sluice`, without a password, and leaves when it is refused. Refused logins are not counted (MariaDB 10.11 was tried).
// The server may log them.
//
// packet   length (3 bytes, little-endian), sequence number, payload
// payload  10, the version as text, NUL, …       or       255, number (2 bytes), perhaps # and SQLSTATE, text
//
// handshake ─▶ login ─▶ refused (255), accepted (0): passes
//                └────▶ another method (254), more (1): an empty answer ─▶ …
import { closedEarly, type Dialog, fails, passes, type Step, type Verdict } from '../dialog.ts';
import { Incoming } from './incoming.ts';
import { shown } from './shown.ts';

const header = 4;
/** A handshake takes some hundred bytes. */
const longestPacket = 4096;
const sqlStateLength = '#08004'.length;
const first = { accepted: 0, more: 1, protocol10: 10, anotherMethod: 254, error: 255 } as const;
/** A server asks once for another method, and then for one or two answers. */
const mostAnswers = 4;
/** Errors that say of the server, and not of the login, that it does not serve: too many connections, shutdown. */
const notServing: readonly number[] = [1040, 1053];

/** CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH. */
const capabilities = 0x00000200 | 0x00008000 | 0x00080000;
const longestClientPacket = 1 << 24;
const characterSet = 33;

function packetOf(sequence: number, payload: Buffer): Buffer {
  const start = Buffer.alloc(header);
  start.writeUIntLE(payload.length, 0, 3);
  start[3] = sequence;
  return Buffer.concat([start, payload]);
}

function login(): Buffer {
  // After these fields come 23 bytes of zero, the user, a password of no bytes and the method.
  const fields = Buffer.alloc(32);
  fields.writeUInt32LE(capabilities, 0);
  fields.writeUInt32LE(longestClientPacket, 4);
  fields[8] = characterSet;
  return Buffer.concat([fields, Buffer.from('sluice\0\0mysql_native_password\0')]);
}

function errorOf(payload: Buffer): { readonly number: number; readonly text: string } | undefined {
  if (payload[0] !== first.error || payload.length < 3) return undefined;
  const hasState = payload[3] === '#'.charCodeAt(0);
  return { number: payload.readUInt16LE(1), text: shown(payload.subarray(hasState ? 3 + sqlStateLength : 3)) };
}

export function mysqlDialog(): Dialog {
  const incoming = new Incoming();
  /** What the handshake says; undefined before it. */
  let server: string | undefined;
  let answers = 0;

  const missing = (): string => {
    if (server !== undefined) return 'no answer to the login';
    return incoming.total === 0 ? 'no handshake' : 'the handshake was not complete';
  };

  const greeted = (sequence: number, payload: Buffer): Step => {
    const error = errorOf(payload);
    if (error !== undefined) return { verdict: fails(`MySQL: ${error.text}`) };
    const end = payload.indexOf(0, 1);
    if (payload[0] !== first.protocol10 || end === -1) {
      return { verdict: fails(`not a handshake of MySQL's protocol 10: the packet begins with byte ${payload[0]}`) };
    }
    server = `MySQL ${shown(payload.subarray(1, end))}`;
    return { send: packetOf(sequence + 1, login()) };
  };

  const answered = (sequence: number, payload: Buffer, found: string): Step => {
    const error = errorOf(payload);
    if (error !== undefined && notServing.includes(error.number)) return { verdict: fails(`MySQL: ${error.text}`) };
    if (error !== undefined || payload[0] === first.accepted) return { verdict: passes(found) };
    answers += 1;
    const asksForMore = payload[0] === first.anotherMethod || payload[0] === first.more;
    if (asksForMore && answers <= mostAnswers) return { send: packetOf((sequence + 1) & 0xff, Buffer.alloc(0)) };
    return { verdict: fails(`MySQL: the answer to the login begins with byte ${payload[0]}`) };
  };

  /** The step after the next packet; undefined while it is not complete. */
  const next = (): Step | undefined => {
    if (incoming.available < header) return undefined;
    const packet = incoming.peek(header + longestPacket);
    const length = packet.readUIntLE(0, 3);
    if (length === 0 || length > longestPacket) return { verdict: notMysql(packet) };
    if (packet.length < header + length) return undefined;
    const payload = incoming.take(header + length).subarray(header);
    const sequence = packet[3] ?? 0;
    return server === undefined ? greeted(sequence, payload) : answered(sequence, payload, server);
  };

  return {
    begin: () => ({}),
    received(bytes) {
      incoming.add(bytes);
      const sent: Uint8Array[] = [];
      const soFar = (): Step => (sent.length === 0 ? {} : { send: Buffer.concat(sent) });
      for (let step = next(); step !== undefined; step = next()) {
        if (step.verdict !== undefined) return { ...soFar(), ...step };
        if (step.send !== undefined) sent.push(step.send);
      }
      return soFar();
    },
    closed: () => closedEarly(missing()),
    timedOut: () => fails(missing()),
  };
}

function notMysql(packet: Buffer): Verdict {
  return fails(`not MySQL: the answer begins with "${shown(packet.subarray(0, header))}"`);
}
