// SPDX-License-Identifier: Apache-2.0
// Probes over the native prober, which moves the bytes of thousands of connections at once. All probes that are started
// in one turn of the event loop go to the prober by one call.
//
// start ─▶ waiting ─(next turn)─▶ prober.start ─▶ events: data, closed ─▶ the dialog ─▶ bytes to send, or the verdict
import { constants } from 'node:os';
import type { Clock } from '../../core/clock.ts';
import type { ExchangeEvent, ExchangeRequest, NativeProber } from '../../native/prober.ts';
import { type Dialog, fails, passes, type Step, untried, type Verdict } from '../dialog.ts';
import { dialogOf, isDialogProbe } from '../dialogs/dialog-of.ts';
import type { Check, Probe } from '../model.ts';
import type { Destination, StartProbe } from '../probe.ts';
import { Attempt, within } from './attempt.ts';
import { trafficFailure, trafficRequest, wayWords } from './traffic.ts';
import { errnoWords } from './words.ts';

type Protocol = ExchangeRequest['protocol'];

interface Exchange {
  readonly attempt: Attempt;
  readonly check: Check;
  readonly to: Destination;
  readonly protocol: Protocol;
  readonly dialog: Dialog;
  hasReceived: boolean;
}

export interface Exchanges {
  readonly start: StartProbe;
  /** Ends all, without results. */
  close(): void;
}

function protocolOf(probe: Probe): Protocol {
  if (probe.type === 'ping') return 'ping';
  return probe.type === 'udp' || (probe.type === 'dns' && probe.transport === 'udp') ? 'udp' : 'tcp';
}

/** Of probes whose answer is all that matters. */
const anyAnswer: Dialog = {
  begin: () => ({}),
  received: () => ({ verdict: passes('answered') }),
  closed: () => passes('connected'),
  timedOut: () => fails('no answer'),
};

export function createExchanges(
  makeProber: (onEvents: (events: readonly ExchangeEvent[]) => void) => NativeProber,
  clock: Clock,
): Exchanges {
  const running = new Map<number, Exchange>();
  let waiting: Exchange[] = [];

  const follow = (id: number, exchange: Exchange, step: Step): void => {
    if (step.send !== undefined) prober.send(id, step.send);
    if (step.verdict === undefined) return;
    prober.end(id);
    finish(id, exchange, step.verdict);
  };
  const finish = (id: number, exchange: Exchange, verdict: Verdict): void => {
    running.delete(id);
    exchange.attempt.finish(verdict);
  };

  const onEvent = (event: ExchangeEvent): void => {
    const exchange = running.get(event.id);
    // The exchange was ended by its verdict or by `cancel`, in the same batch.
    if (exchange === undefined) return;
    switch (event.kind) {
      case 'connected':
        finish(event.id, exchange, passes(connectedWords(exchange)));
        break;
      case 'data':
        exchange.hasReceived = true;
        follow(event.id, exchange, exchange.dialog.received(event.data));
        break;
      case 'closed':
        follow(event.id, exchange, { verdict: exchange.dialog.closed() });
        break;
      case 'failed':
        finish(event.id, exchange, failure(exchange, event.errno));
        break;
      case 'timeout':
        finish(event.id, exchange, within(lateVerdict(exchange, event.connected), exchange.check));
        break;
    }
  };
  const prober = makeProber(events => events.forEach(onEvent));

  const startWaiting = (): void => {
    const requests: ExchangeRequest[] = [];
    const started: Exchange[] = [];
    for (const exchange of waiting) {
      if (exchange.attempt.hasEnded) continue;
      const { send, verdict } = exchange.dialog.begin();
      if (verdict !== undefined) {
        exchange.attempt.finish(verdict);
        continue;
      }
      started.push(exchange);
      requests.push(requestOf(exchange, send));
    }
    waiting = [];
    if (requests.length === 0) return;
    for (const [at, id] of prober.start(requests).entries()) {
      const exchange = started[at];
      if (exchange === undefined) continue;
      running.set(id, exchange);
      exchange.attempt.atEnd(() => {
        if (running.delete(id)) prober.end(id);
      });
    }
  };

  return {
    start(check, to, done) {
      const { probe } = check;
      const attempt = new Attempt(clock, done);
      const dialog = isDialogProbe(probe) ? dialogOf(probe, to) : anyAnswer;
      if (waiting.length === 0) setImmediate(startWaiting);
      waiting.push({ attempt, check, to, protocol: protocolOf(probe), dialog, hasReceived: false });
      return attempt;
    },
    close() {
      for (const { attempt } of [...waiting, ...running.values()]) attempt.cancel();
      prober.close();
    },
  };
}

function requestOf({ attempt, check, to, protocol }: Exchange, send: Uint8Array | undefined): ExchangeRequest {
  return {
    protocol,
    address: to.address,
    port: protocol === 'ping' ? 0 : to.port,
    timeoutMilliseconds: Math.max(1, Math.round(check.timeout * 1000 - attempt.milliseconds)),
    ...(send === undefined ? {} : { send }),
    ...(check.probe.type === 'tcp' ? { connectOnly: true } : {}),
    ...(to.way === undefined ? {} : trafficRequest(to, to.way)),
  };
}

/** Errors that tell of this host, not of the target. */
const ownErrors: readonly number[] = (['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'] as const).map(
  name => constants.errno[name],
);

function connectedWords({ to }: Exchange): string {
  return to.way === undefined ? 'connected' : `connected to ${wayWords(to, to.way)}`;
}

function failure(exchange: Exchange, errno: number): Verdict {
  const words = errnoWords(errno);
  if (ownErrors.includes(errno)) return untried(`not tried, as this host lacks something: ${words}`);
  const { to } = exchange;
  return to.way === undefined ? fails(`${brokenWords(exchange, errno)}: ${words}`) : trafficFailure(to, to.way, errno);
}

/** What an error has ended: these two happen to connections that stood. */
function brokenWords({ protocol, hasReceived }: Exchange, errno: number): string {
  if (protocol !== 'tcp') return 'no answer';
  const { ECONNRESET, EPIPE } = constants.errno;
  return hasReceived || errno === ECONNRESET || errno === EPIPE ? 'the connection broke' : 'no connection';
}

function lateVerdict({ protocol, dialog, hasReceived, to }: Exchange, isConnected: boolean): Verdict {
  if (to.way !== undefined) return fails(`no answer from ${wayWords(to, to.way)}`);
  const verdict = dialog.timedOut();
  if (protocol !== 'tcp' || hasReceived) return verdict;
  return fails(isConnected ? `connected, but ${verdict.detail}` : 'no connection');
}
