// SPDX-License-Identifier: Apache-2.0
// The packet by which the director is asked about a service.
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { readRules } from '../../../src/director/ipvsadm/rules.ts';
import { openingPacket } from '../../../src/director/opening-packet.ts';

function packetOf(rules: string, client?: string) {
  const model = readRules(rules);
  const [service] = model.services;
  if (service === undefined) throw new TypeError('the rules have no service');
  return openingPacket(model, service, client);
}

describe('a packet of a service', () => {
  it('goes to its address and port', () => {
    const packet = packetOf('-A -u 192.0.2.10:53 -s rr', '10.1.0.2');
    expect(packet).toMatchObject({ client: '10.1.0.2', mark: 0 });
    expect(packet.words).toContain('192.0.2.10:53');
  });

  it('of all ports goes to a port that no other service of the address has', () => {
    const rules = '-A -t 192.0.2.10:0 -s rr -p\n-A -t 192.0.2.10:80 -s rr\n-A -u 192.0.2.10:81 -s rr';
    expect(packetOf(rules).words).toContain('192.0.2.10:81');
  });

  it('of a mark without a rule comes with the mark', () => {
    expect(packetOf('-A -f 7 -s rr')).toMatchObject({ mark: 7 });
  });

  it('comes from no client of another family', () => {
    expect(() => packetOf('-A -t 192.0.2.10:80 -s rr', '2001:db8::1')).toThrow(UsageError);
  });
});
