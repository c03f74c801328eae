// SPDX-License-Identifier: Apache-2.0
// Replies are those of RFC 5321, section 4.2 and appendix D, and of RFC 3207.
import { describe, expect, it } from 'vitest';
import { smtpDialog } from '../../../../src/health/dialogs/smtp.ts';
import { smtpProbe, tlsOf } from '../checks.ts';
import { failed, hold, holdCut, passed } from './hold.ts';

const held = (answer: string) => holdCut(() => smtpDialog(smtpProbe()), answer);
const text = (line: string) => Buffer.from(line);

describe('a session', () => {
  it('greets with EHLO, and says QUIT', () => {
    const answer =
      '220 foo.com Simple Mail Transfer Service Ready\r\n250-foo.com greets bar.com\r\n250-8BITMIME\r\n250 HELP\r\n221 bye\r\n';
    expect(held(answer)).toEqual({
      verdict: passed('220 foo.com Simple Mail Transfer Service Ready'),
      sent: 'EHLO probe.example\r\nQUIT\r\n',
    });
  });

  it('greets with HELO where EHLO is refused', () => {
    expect(held('220 old\r\n502 Command not implemented\r\n250 hello\r\n221 bye\r\n')).toEqual({
      verdict: passed('220 old'),
      sent: 'EHLO probe.example\r\nHELO probe.example\r\nQUIT\r\n',
    });
  });

  it.each([
    ['a greeting of several lines, without texts', '220-\n220\n250\n', passed('220')],
    ['the connection closed in place of a reply to QUIT', '220 a\r\n250 b\r\n', passed('220 a')],
    ['no service', '554 No SMTP service here\r\n', failed('554 No SMTP service here')],
    ['a service that is busy', '421-busy\r\n421 try later\r\n', failed('421 busy try later')],
    ['EHLO refused for now', '220 a\r\n451 later\r\n', failed('EHLO: 451 later')],
    ['both greetings refused', '220 a\r\n500 no\r\n550 never\r\n', failed('HELO: 550 never')],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n', failed('not SMTP: "SSH-2.0-OpenSSH"')],
    ['nothing', '', failed('the connection was closed: no greeting')],
    ['half a greeting', '220-a\r\n', failed('the connection was closed: the greeting was not complete')],
    ['no reply to EHLO', '220 a\r\n', failed('the connection was closed: no reply to EHLO')],
  ])('with %s', (_, answer, verdict) => {
    expect(held(answer).verdict).toEqual(verdict);
  });
});

describe('STARTTLS', () => {
  const withTls = smtpProbe({ startTls: true, tls: tlsOf() });

  it('begins TLS where it is offered, and greets again inside of it', () => {
    const dialog = smtpDialog(withTls);
    expect(dialog.begin()).toEqual({});
    expect(dialog.received(text('220 a\r\n')).send).toEqual(text('EHLO probe.example\r\n'));
    expect(dialog.received(text('250-a\r\n250-starttls\r\n250 HELP\r\n')).send).toEqual(text('STARTTLS\r\n'));
    expect(dialog.received(text('220 Go ahead\r\n'))).toEqual({ startTls: true });
    expect(dialog.begin().send).toEqual(text('EHLO probe.example\r\n'));
    expect(dialog.received(text('250 a\r\n')).send).toEqual(text('QUIT\r\n'));
    expect(dialog.received(text('221 bye\r\n')).verdict).toEqual(passed('220 a'));
  });

  it.each([
    ['is not offered', ['220 a\r\n', '250 STARTTLS\r\n'], failed('the server does not offer STARTTLS')],
    [
      'is refused',
      ['220 a\r\n', '250-a\r\n250 STARTTLS\r\n', '454 TLS not available\r\n'],
      failed('STARTTLS: 454 TLS not available'),
    ],
    [
      'is followed by more in the clear',
      ['220 a\r\n', '250-a\r\n250 STARTTLS\r\n', '220 go\r\n250 injected\r\n'],
      failed('the server sent more in the clear after its reply to STARTTLS'),
    ],
    ['needs EHLO', ['220 a\r\n', '500 unknown\r\n'], failed('EHLO: 500 unknown')],
  ])('%s', (_, answers, verdict) => {
    expect(hold(smtpDialog(withTls), answers.map(text)).verdict).toEqual(verdict);
  });
});

it('says what is missing when the time has passed, and passes once only QUIT is not answered', () => {
  const dialog = smtpDialog(smtpProbe());
  dialog.begin();
  expect(dialog.timedOut()).toEqual(failed('no greeting'));
  dialog.received(text('220 a\r\n'));
  expect(dialog.timedOut()).toEqual(failed('no reply to EHLO'));
  dialog.received(text('250 a\r\n'));
  expect(dialog.timedOut()).toEqual(passed('220 a'));
});
