// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { documentFormat } from '../../../../src/daemon/document.ts';

const webhook = (text: string): string => `events: { webhooks: { alerts: { ${text} } } }`;

describe('the section events', () => {
  it('is empty unless it is written', () => {
    expect(documentFormat.from({}).events).toEqual({ webhooks: [] });
  });

  it('is written as it was read', () => {
    const settings = {
      url: 'https://alerts.example/sluice',
      token: { file: '/s/t' },
      kinds: ['quorum.lost', 'server'],
      authorities: '/ca.pem',
    };
    const document = { events: { webhooks: { alerts: settings } } };
    const snapshot = documentFormat.from(document);
    expect(documentFormat.write(snapshot)).toEqual(document);
    expect(documentFormat.secrets('events', snapshot.events).map(({ file }) => file)).toEqual(['/s/t']);
  });

  it('tells what changed', () => {
    const before = documentFormat.parse(webhook('url: https://a.example'));
    const after = documentFormat.parse(webhook('url: https://b.example/'));
    expect(documentFormat.describe(documentFormat.compare(before, after))).toEqual([
      '~ webhook alerts: {"url":"https://a.example/"} → {"url":"https://b.example/"}',
    ]);
  });

  it.each([
    'url: http://10.0.0.1:8080/x',
    'url: http://127.0.0.1:8080/x, token: { file: /t }',
    "url: 'http://[::1]:8080/x', token: { file: /t }",
    'url: http://localhost/x, token: { file: /t }',
  ])('may be %s', text => {
    expect(documentFormat.parse(webhook(text)).events.webhooks).toHaveLength(1);
  });

  it.each([
    ['url: ftp://a.example', 'events.webhooks.alerts.url must be a URL of http or https: "ftp://a.example"'],
    ['url: https://', 'events.webhooks.alerts.url must be a URL'],
    ["url: 'https://[x'", 'events.webhooks.alerts.url is no URL'],
    [
      'url: https://me:secret@a.example',
      'events.webhooks.alerts.url has a password, which everybody could read: "https://a.example/…" (use a token)',
    ],
    [
      'url: http://a.example, token: { file: /t }',
      'events.webhooks.alerts.token would travel in the clear: "http://a.example" (use https, or a loopback address)',
    ],
    ['url: http://a.example, authorities: /ca.pem', 'events.webhooks.alerts.authorities goes with https only'],
    ['url: https://a.example, kinds: []', 'events.webhooks.alerts.kinds must not be empty'],
    ['url: https://a.example, kinds: [Server]', 'events.webhooks.alerts.kinds[0] must be a kind, or its beginning'],
  ])('must not be %s', (text, message) => {
    expect(() => documentFormat.parse(webhook(text))).toThrow(message);
  });
});
