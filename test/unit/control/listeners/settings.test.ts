// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { documentFormat } from '../../../../src/daemon/document.ts';

const token = 'tokens: { deploy: { file: /s/t } }';
const tls = 'tls: { certificate: /c.pem, key: { file: /s/k } }';

const listen = (...listeners: string[]): string =>
  `api: { listen: [${listeners.map(each => `{ ${each} }`).join(', ')}] }`;

describe('the section api', () => {
  it('is closed unless it is written', () => {
    expect(documentFormat.from({}).api).toEqual({ listen: [] });
    expect(documentFormat.from({ api: { listen: [] } }).id).toBe(documentFormat.from({}).id);
  });

  it('is written as it was read, the addresses in their order and form', () => {
    const snapshot = documentFormat.parse(
      listen(`address: '[2001:DB8::1]:9844', routes: all, ${token}, ${tls}`, 'address: 10.0.0.5:9843, routes: metrics'),
    );
    expect(documentFormat.write(snapshot)).toEqual({
      api: {
        listen: [
          { address: '10.0.0.5:9843' },
          {
            address: '[2001:db8::1]:9844',
            routes: 'all',
            tokens: { deploy: { file: '/s/t' } },
            tls: { certificate: '/c.pem', key: { file: '/s/k' } },
          },
        ],
      },
    });
    expect(documentFormat.from(documentFormat.write(snapshot)).id).toBe(snapshot.id);
    expect(documentFormat.secrets('api', snapshot.api).map(({ file }) => file)).toEqual(['/s/t', '/s/k']);
  });

  it('tells what changed', () => {
    const before = documentFormat.parse(listen('address: 10.0.0.5:9843', 'address: 10.0.0.5:9845'));
    const after = documentFormat.parse(listen(`address: 10.0.0.5:9843, ${tls}`, 'address: 10.0.0.5:9844'));
    expect(documentFormat.describe(documentFormat.compare(before, after))).toEqual([
      '~ api listens on 10.0.0.5:9843: {"routes":"metrics"} → {"routes":"metrics","tls":{"certificate":"/c.pem","key":{"file":"/s/k"}}}',
      '- api listens on 10.0.0.5:9845: {"routes":"metrics"}',
      '+ api listens on 10.0.0.5:9844: {"routes":"metrics"}',
    ]);
  });

  it.each([
    `address: 127.0.0.1:9843, routes: all, ${token}`,
    `address: '[::1]:9843', ${token}`,
    `address: 10.0.0.5:9843, routes: all, tls: { certificate: /c, key: { file: /k }, clients: /ca }`,
    `address: 0.0.0.0:9843, routes: all, ${token}, ${tls}`,
    'address: 10.0.0.5:1024',
  ])('may be %s', text => {
    expect(documentFormat.parse(listen(text)).api.listen).toHaveLength(1);
  });

  it.each([
    ['address: 10.0.0.5', 'api.listen[0].address has no port: "10.0.0.5" (write 10.0.0.5:9843)'],
    ['address: localhost:9843', 'api.listen[0].address is a name, not an address: "localhost:9843"'],
    [
      'address: 10.0.0.5:443',
      'api.listen[0].address has a port that root alone can open: "10.0.0.5:443" (use a port from 1024 on: control, which listens, has no power of root)',
    ],
    [
      `address: 10.0.0.5:9843, ${token}`,
      'api.listen[0].tokens would travel in the clear: "10.0.0.5:9843" (add tls, or listen on a loopback address such as 127.0.0.1)',
    ],
    [`address: 0.0.0.0:9843, ${token}`, 'api.listen[0].tokens would travel in the clear'],
    [
      'address: 127.0.0.1:9843, routes: all',
      'api.listen[0].routes lets everybody who reaches the port change everything: "all" (add tokens, or tls.clients; or use routes: metrics)',
    ],
    [`address: 10.0.0.5:9843, routes: all, ${tls}`, 'api.listen[0].routes lets everybody who reaches the port'],
    ['address: 10.0.0.5:9843, tokens: { deploy: secret }', 'api.listen[0].tokens.deploy must be a map'],
    ['address: 10.0.0.5:9843 }, { address: 10.0.0.5:9843', 'api.listen[1].address stands here twice'],
  ])('must not be %s', (text, message) => {
    expect(() => documentFormat.parse(listen(text))).toThrow(message);
  });
});
