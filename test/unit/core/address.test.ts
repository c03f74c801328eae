// SPDX-License-Identifier: Apache-2.0
import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contains,
  networkOf,
  networksOverlap,
  parseAddress,
  parseInterfaceAddress,
  parseNetwork,
} from '../../../src/core/address.ts';

describe('an address', () => {
  it.each([
    ['10.0.1.1', '10.0.1.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['::ffff:10.0.1.1', '::ffff:10.0.1.1'],
    ['::ffff:a00:101', '::ffff:10.0.1.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['0:0:0:0:0:0:0:0', '::'],
  ])('%s has the canonical form %s', (text, canonical) => {
    expect(parseAddress(text)?.text).toBe(canonical);
  });

  it.each([
    '',
    '10.0.1',
    '10.0.1.256',
    '10.0.01.1',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    'g::',
    '12345::',
    '::1.2.3',
    '1.2.3.4::',
    'fe80::1%eth0',
    '[::1]',
    ' ::1',
  ])('%j is none', text => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('is accepted if Node accepts it', () => {
    const piece = fc.oneof(
      fc.constantFrom('::', ':', '.', '1.2.3.4', 'ffff', '0'),
      fc.stringMatching(/^[0-9a-fA-F]{1,5}$/),
    );
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.array(piece, { maxLength: 16 }).map(pieces => pieces.join('')),
    );
    fc.assert(
      fc.property(text, text => {
        expect(parseAddress(text)?.family).toBe(isIPv4(text) ? 4 : isIPv6(text) ? 6 : undefined);
      }),
    );
  });

  it('in canonical form is canonical already', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
        const { text: canonical = '', words } = parseAddress(text) ?? {};
        expect(parseAddress(canonical)).toMatchObject({ text: canonical, words });
        // WHATWG's URL writes the same form, except for embedded IPv4 addresses.
        if (!canonical.includes('.')) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${canonical}]`);
      }),
    );
  });
});

describe('a network', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.0.0.1', '10.0.0.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::/33', '2001:db8::/33'],
    ['::/0', '::/0'],
    ['10.0.0.1/8', undefined],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/08', undefined],
    ['10.0.0.0/', undefined],
    ['2001:db8::/129', undefined],
  ])('%s is %s', (text, canonical) => {
    expect(parseNetwork(text)?.text).toBe(canonical);
  });

  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['0.0.0.0/0', '255.0.0.1', true],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['0.0.0.0/0', '::1', false],
  ])('%s contains %s: %s', (network, address, answer) => {
    const [parsed, other] = [parseNetwork(network), parseAddress(address)];
    expect(parsed !== undefined && other !== undefined && contains(parsed, other)).toBe(answer);
  });

  it('overlaps with another when one contains the first address of the other', () => {
    const [eight, nine, ten] = ['10.0.0.0/8', '10.128.0.0/9', '11.0.0.0/8'].map(parseNetwork);
    if (eight === undefined || nine === undefined || ten === undefined) throw new Error('networks are not parsed');
    expect([networksOverlap(eight, nine), networksOverlap(nine, eight), networksOverlap(eight, ten)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('of an address keeps the leading bits', () => {
    const parsed = parseInterfaceAddress('10.0.1.77/26');
    if (parsed === undefined) throw new Error('the address is not parsed');
    expect(networkOf(parsed.address, parsed.prefix).text).toBe('10.0.1.64/26');
  });
});
