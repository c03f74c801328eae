// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { TrafficWay } from '../../../../src/core/observed.ts';
import { trafficFailure, trafficRequest, wayWords } from '../../../../src/health/probes/traffic.ts';

const way: TrafficWay = {
  service: { address: '198.51.100.10', port: 80 },
  wrapping: 'none',
  port: 0,
  checksum: false,
};
const gue: TrafficWay = {
  service: { address: '2001:db8::10', port: 443 },
  wrapping: 'gue',
  port: 6080,
  checksum: true,
};
const to = { address: '10.0.2.1', port: 80 };

describe('a connection that travels as traffic', () => {
  it("asks for the service's address at the server", () => {
    expect(trafficRequest(to, way)).toEqual({
      address: '198.51.100.10',
      port: 80,
      way: { server: '10.0.2.1', wrapping: 'none', port: 0, checksum: false },
    });
  });

  it('asks for the port of the check, and for that of the service where the server has none', () => {
    expect(trafficRequest({ ...to, port: 8080 }, way).port).toBe(8080);
    expect(trafficRequest({ ...to, port: 0 }, gue).port).toBe(443);
  });

  it('is named by the service and the mode', () => {
    expect(wayWords(to, way)).toBe('198.51.100.10:80 by DR');
    expect(wayWords({ ...to, port: 443 }, gue)).toBe('[2001:db8::10]:443 in gue');
  });

  const { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT, EPROTO } = constants.errno;
  it.each<[TrafficWay, number, string]>([
    [way, ECONNREFUSED, 'no connection to 198.51.100.10:80 by DR: connection refused'],
    [way, EHOSTUNREACH, 'no connection to 198.51.100.10:80 by DR: host is unreachable'],
    [way, ENETUNREACH, 'no way to 198.51.100.10:80 by DR: the server is not on a link of this host'],
    [gue, ENETUNREACH, 'no connection to [2001:db8::10]:80 in gue: network is unreachable'],
    [gue, ENOPROTOOPT, 'no way to [2001:db8::10]:80 in gue: the server does not unwrap gue'],
    [gue, EPROTO, 'no way to [2001:db8::10]:80 in gue: the server does not unwrap gue'],
  ])('fails with what its errors mean (%#)', (by, errno, detail) => {
    expect(trafficFailure(to, by, errno)).toMatchObject({ passed: false, detail });
  });

  const { EPERM, EAFNOSUPPORT, ELOOP } = constants.errno;
  it.each([EPERM, EAFNOSUPPORT, ELOOP])('tells nothing of the server where this host cannot try (%#)', errno => {
    expect(trafficFailure(to, way, errno)).toMatchObject({ isOpen: true });
  });
});
