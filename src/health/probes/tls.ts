// SPDX-License-Identifier: Apache-2.0
// Dialogs over TLS, by Node's own sockets: from the first byte on, or after STARTTLS.
//
// TCP connection ─┬─────────────────────────────▶ TLS handshake ─▶ dialog ─▶ verdict
//                 └─(startTls)─▶ dialog in the clear ─▲
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { ClientKeys } from '../client-keys.ts';
import { type Dialog, fails, type Step } from '../dialog.ts';
import { dialogOf } from '../dialogs/dialog-of.ts';
import type { Check, Probe, ProbeOf, Tls } from '../model.ts';
import type { Destination, StartProbe } from '../probe.ts';
import { type Attempt, startAttempts } from './attempt.ts';
import { connectTls, secureContext, type TlsRequest, tlsWords } from './tls-client.ts';
import { errorWords } from './words.ts';

export type TlsDialogProbe = (ProbeOf<'http'> | ProbeOf<'smtp'>) & { readonly tls: Tls };

export function isTlsDialogProbe(probe: Probe): probe is TlsDialogProbe {
  return (probe.type === 'http' || probe.type === 'smtp') && probe.tls !== null;
}

/** Gives the target's bytes to the dialog, and the dialog's to the target, until TLS begins or the verdict falls. */
function hold(dialog: Dialog, socket: Socket, attempt: Attempt, startTls: () => void): void {
  let hasReceived = false;
  const follow = (step: Step): void => {
    if (step.send !== undefined) socket.write(step.send);
    if (step.verdict !== undefined) attempt.finish(step.verdict);
    if (step.startTls) {
      socket.off('data', onData).off('end', onEnd);
      startTls();
    }
  };
  const onData = (bytes: Uint8Array): void => {
    hasReceived = true;
    if (!attempt.hasEnded) follow(dialog.received(bytes));
  };
  const onEnd = (): void => {
    if (!attempt.hasEnded) attempt.finish(dialog.closed());
  };
  attempt.timedOut = () => {
    const verdict = dialog.timedOut();
    return hasReceived || verdict.passed ? verdict : fails(`connected, but ${verdict.detail}`);
  };
  socket.on('data', onData).on('end', onEnd);
  follow(dialog.begin());
}

/** Opens a connection; `connected` is called once it stands. Its end, or an error, ends the probe. */
export function openSocket(attempt: Attempt, to: Destination, connected: (socket: Socket) => void): void {
  const socket = connect({ host: to.address, port: to.port });
  let stands = false;
  attempt.timedOut = () => fails('no connection');
  attempt.atEnd(() => socket.destroy());
  socket.on('error', error =>
    attempt.finish(fails(`${stands ? 'the connection broke' : 'no connection'}: ${errorWords(error)}`)),
  );
  socket.on('connect', () => {
    stands = true;
    connected(socket);
  });
}

/** Begins TLS on a connection; `connected` is called once it stands, with a certificate that is trusted. */
export function openTls(attempt: Attempt, request: TlsRequest, connected: (socket: Socket) => void): void {
  const secure = connectTls(request);
  attempt.timedOut = () => fails('connected, but no TLS handshake');
  attempt.atEnd(() => secure.destroy());
  const fail = (error: Error): void => attempt.finish(fails(tlsWords(error, request)));
  request.socket.removeAllListeners('error').on('error', fail);
  secure.on('error', fail);
  const onEarlyEnd = (): void => attempt.finish(fails('the connection was closed within the TLS handshake'));
  secure.on('end', onEarlyEnd);
  secure.on('secureConnect', () => {
    secure.off('end', onEarlyEnd);
    connected(secure);
  });
}

async function begin(attempt: Attempt, check: Check, to: Destination, keys: ClientKeys): Promise<void> {
  const { probe } = check;
  if (!isTlsDialogProbe(probe)) throw new TypeError(`no dialog over TLS: ${probe.type}`);
  const { tls } = probe;
  const context = await secureContext(tls, keys);
  if (attempt.hasEnded) return;
  const dialog = dialogOf(probe, to);
  openSocket(attempt, to, socket => {
    const host = probe.type === 'http' ? probe.host : null;
    const startTls = (): void =>
      openTls(attempt, { tls, context, socket, host, address: to.address }, secure =>
        hold(dialog, secure, attempt, () => {}),
      );
    if (probe.type === 'smtp' && probe.startTls) hold(dialog, socket, attempt, startTls);
    else startTls();
  });
}

export function createTlsProbes(clock: Clock, keys: ClientKeys): StartProbe {
  return startAttempts(clock, (attempt, check, to) => begin(attempt, check, to, keys));
}
