// SPDX-License-Identifier: Apache-2.0
// A session of SMTP (RFC 5321) without mail: greeting, EHLO, or HELO where EHLO is refused, and QUIT. With STARTTLS
// (RFC 3207) EHLO is said again inside of TLS.
//
// greeting 220 ─▶ EHLO 250 ─┬──────────────────────────▶ QUIT ─▶ passes with any reply
//                  │ 5xx    └─ STARTTLS 220, TLS, EHLO 250 ─▲
//                  └─▶ HELO 250 ────────────────────────────▲
import { closedEarly, type Dialog, fails, passes, type Step, type Verdict } from '../dialog.ts';
import type { ProbeOf } from '../model.ts';
import { Incoming, tooMuch } from './incoming.ts';
import { shown } from './shown.ts';

const replyLine = /^([2-5]\d\d)(?:([ -])(.*))?$/;

interface Reply {
  readonly code: number;
  readonly lines: readonly string[];
}

/** What was sent last; a reply answers it. */
type Stage = 'connect' | 'EHLO' | 'HELO' | 'STARTTLS' | 'QUIT';

export function smtpDialog(probe: ProbeOf<'smtp'>): Dialog {
  const incoming = new Incoming();
  let stage: Stage = 'connect';
  let isInTls = false;
  let lines: string[] = [];
  let greeting = '';

  const missing = (): string => {
    if (stage === 'connect') return incoming.total === 0 ? 'no greeting' : 'the greeting was not complete';
    return `no reply to ${stage}`;
  };
  const say = (next: Stage, command: string): Step => {
    stage = next;
    return { send: Buffer.from(`${command}\r\n`) };
  };
  const refused = (reply: Reply): Step => {
    const text = shown([reply.code, ...reply.lines].join(' '));
    return { verdict: fails(stage === 'connect' ? text : `${stage}: ${text}`) };
  };

  const answer = (reply: Reply): Step => {
    switch (stage) {
      case 'connect':
        if (reply.code !== 220) return refused(reply);
        greeting = shown([reply.code, ...reply.lines.slice(0, 1)].join(' '));
        return say('EHLO', `EHLO ${probe.hello}`);
      case 'EHLO': {
        const wantsTls = probe.startTls && !isInTls;
        if (reply.code >= 500 && !wantsTls && !isInTls) return say('HELO', `HELO ${probe.hello}`);
        if (reply.code !== 250) return refused(reply);
        if (!wantsTls) return say('QUIT', 'QUIT');
        // The first line names the server, the others its extensions.
        const offersTls = reply.lines.slice(1).some(line => /^STARTTLS\s*$/i.test(line));
        return offersTls ? say('STARTTLS', 'STARTTLS') : { verdict: fails('the server does not offer STARTTLS') };
      }
      case 'HELO':
        return reply.code === 250 ? say('QUIT', 'QUIT') : refused(reply);
      case 'STARTTLS':
        if (reply.code !== 220) return refused(reply);
        // Bytes in the clear must not be taken for bytes from inside of TLS.
        if (incoming.available > 0)
          return { verdict: fails('the server sent more in the clear after its reply to STARTTLS') };
        isInTls = true;
        return { startTls: true };
      case 'QUIT':
        return { verdict: passes(greeting) };
    }
  };

  /** The next complete reply, a problem in words, or undefined while it is not complete. */
  const nextReply = (): Reply | string | undefined => {
    for (let line = incoming.line(); line !== undefined; line = incoming.line()) {
      const match = replyLine.exec(line);
      if (match === null) return `not SMTP: "${shown(line)}"`;
      lines.push(match[3] ?? '');
      if (match[2] === '-') continue;
      const reply = { code: Number(match[1]), lines };
      lines = [];
      return reply;
    }
    return incoming.isOver ? tooMuch : undefined;
  };

  /** What was missed after QUIT says nothing about the server, which has answered all that matters. */
  const atEnd = (verdict: Verdict): Verdict => (stage === 'QUIT' ? passes(greeting) : verdict);

  return {
    begin: () => (isInTls ? say('EHLO', `EHLO ${probe.hello}`) : {}),
    received(bytes) {
      incoming.add(bytes);
      const sent: Uint8Array[] = [];
      const soFar = (): Step => (sent.length === 0 ? {} : { send: Buffer.concat(sent) });
      for (let reply = nextReply(); reply !== undefined; reply = nextReply()) {
        if (typeof reply === 'string') return { ...soFar(), verdict: fails(reply) };
        const { send, ...step } = answer(reply);
        if (send !== undefined) sent.push(send);
        if (step.verdict !== undefined || step.startTls) return { ...soFar(), ...step };
      }
      return soFar();
    },
    closed: () => atEnd(closedEarly(missing())),
    timedOut: () => atEnd(fails(missing())),
  };
}
