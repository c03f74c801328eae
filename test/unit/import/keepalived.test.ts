// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how keepalived writes references
// What keepalived.conf(5) says about a file, as a document says it.
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { entryText } from '../../../src/import/report.ts';
import { documentText } from '../../../src/import/write.ts';
import { imported } from './files.ts';

const service = (inside: string, head = '10.0.1.1 80') => `virtual_server ${head} {\nprotocol TCP\n${inside}\n}\n`;
const documentOf = (text: string, more = {}) => parse(documentText(imported(text, more).document, []));
const lines = (text: string, more = {}) => imported(text, more).report.entries().map(entryText);

it('defaults of keepalived are written out', () => {
  const { director, health } = documentOf(
    'virtual_server 10.0.1.1 80 {\nreal_server 10.0.2.1 80 {\nTCP_CHECK {\n}\n}\n}\n',
  );
  expect(health).toEqual({
    checks: { tcp: { tcp: {}, interval: 60, timeout: 5, retry_interval: 1, rise: 1, fall: 2 } },
  });
  expect(director.services).toEqual([
    {
      udp: '10.0.1.1:80',
      scheduler: 'wlc',
      health: { checks: ['tcp'], need: 'all', on_failure: 'remove', quorum: 1, none_up: 'none', start: 'up' },
      servers: ['10.0.2.1:80'],
    },
  ]);
});

it('a checker takes what it does not say from its real server, then from the virtual server', () => {
  const text = service(`delay_loop 20
retry 5
connect_timeout 2
real_server 10.0.2.1 80 {
retry 4
TCP_CHECK {
}
TCP_CHECK {
retry 0
connect_port 81
}
}`);
  expect(documentOf(text).health.checks).toEqual({
    tcp: { tcp: {}, interval: 20, timeout: 2, retry_interval: 1, rise: 1, fall: 5 },
    'tcp-81': { tcp: {}, port: 81, interval: 20, timeout: 2, rise: 1, fall: 1 },
  });
});

it('with a sorry server all servers leave when the quorum is lost', () => {
  const text = service(
    'quorum 2\nhysteresis 1\nalpha\nsorry_server 10.0.2.99 80\ninhibit_on_failure\nreal_server 10.0.2.1 80 {\nweight 3\nPING_CHECK {\n}\n}',
  );
  expect(documentOf(text).director.services[0].health).toEqual({
    checks: ['ping'],
    need: 'all',
    on_failure: 'inhibit',
    quorum: 2,
    hysteresis: 1,
    sorry: '10.0.2.99:80',
    sorry_when: 'quorum_lost',
    start: 'down',
  });
});

it('a group stands for a service for each of its addresses', () => {
  const group = 'virtual_server_group G {\n10.0.1.1 80\n10.0.1.8-9 81\n10.0.3.0/31 82\nfwmark 7\n}\n';
  const { director } = documentOf(group + service('real_server 10.0.2.1 80 {\n}', 'group G'));
  expect(director.services.map((one: Record<string, unknown>) => one.tcp ?? one.mark)).toEqual([
    '10.0.1.1:80',
    '10.0.1.8:81',
    '10.0.1.9:81',
    '10.0.3.0:82',
    '10.0.3.1:82',
    7,
  ]);
});

it('URLs, digests, statuses and expressions of HTTP checkers are carried', () => {
  const text = service(`real_server 10.0.2.1 80 {
SSL_GET {
virtualhost shop.example
enable_sni
url {
path /healthz
status_code 200-299 401
regex "up to [0-9]+"
regex_no_match
}
}
}`);
  expect(Object.values(documentOf(text).health.checks)).toMatchObject([
    {
      https: {
        path: '/healthz',
        host: 'shop.example',
        status: '200-299, 401',
        matches: '^(?![^]*(?:up to [0-9]+))',
        tls: { verify: false, name: 'shop.example' },
      },
    },
  ]);
});

it("the examples of the manual for UDP's bytes, lists and sequences", () => {
  const text = service(
    'real_server 10.0.2.1 80 {\nUDP_CHECK {\npayload Ab12f 3 456 546443123\nrequire_reply 0x1X\n}\n}',
  );
  expect(documentOf(text).health.checks.udp.udp).toEqual({ send: 'ab120f03450654644312' + '03', expect: '0x1x' });
});

it.each([
  ['a file that includes itself', 'include k.conf\n', '/k/k.conf:1: the file includes itself'],
  ['a sequence of a billion', '~SEQ(N, 1, 1000000000) k$N\n', '/k/k.conf:1: the loop has too many rounds'],
  [
    'sequences that multiply',
    '~SEQ(A, 1, 9999) ~SEQ(B, 1, 9999) k\n',
    '/k/k.conf:1: definitions and loops make too many lines',
  ],
  ['a definition that grows', '$A=${A}${A}x\nk$A\n${A}\n', '/k/k.conf:2: the line becomes too long'],
  [
    'a definition of several lines that names itself',
    '$A=\\\nk \\\n$A\n$A\n',
    '/k/k.conf:4: definitions and loops are nested too deeply',
  ],
])('%s ends with its place', (_name, text, message) => {
  expect(() => imported(text)).toThrow(message);
});

it('includes are relative to the including file, and conditions choose lines', () => {
  const more = { '/k/d/a.conf': service('real_server 10.0.2.1 80 {\n@host weight 5\n@other weight 6\n}') };
  expect(documentOf('include d/*.conf\n', more).director.services[0].servers).toEqual([
    { server: '10.0.2.1:80', weight: 5 },
  ]);
});

it('what keepalived ignores is told from what Sluice cannot do', () => {
  const text = service(
    'lb_algo rr\nlb_kind DR\nquorum_up /bin/true\nwieght 3\nreal_server 10.0.2.1 81 {\n}\nreal_server 10.0.2.1 80 {\n}',
  );
  expect(lines(text)).toEqual([
    expect.stringMatching(/^\/k\/k.conf:5: not carried over: quorum_up \/bin\/true \(watch events/),
    expect.stringMatching(/^\/k\/k.conf:6: ignored: wieght/),
    expect.stringMatching(/^\/k\/k.conf:7: ignored: real_server 10.0.2.1 81: port 81: mode dr keeps/),
    expect.stringMatching(/^\/k\/k.conf:9: ignored: real_server 10.0.2.1 80: the same real server/),
  ]);
});
