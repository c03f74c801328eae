// SPDX-License-Identifier: Apache-2.0
// Checks of tests, with what a document without settings gives.
import { type Check, defaultTls, type Probe, type ProbeOf, type Tls } from '../../../src/health/model.ts';
import type { Destination, ProbeResult, StartProbe } from '../../../src/health/probe.ts';

export const httpProbe = (settings: Partial<ProbeOf<'http'>> = {}): ProbeOf<'http'> => ({
  type: 'http',
  method: 'GET',
  path: '/',
  host: null,
  headers: [],
  status: [[200, 299]],
  contains: null,
  matches: null,
  digest: null,
  tls: null,
  ...settings,
});

export const dnsProbe = (settings: Partial<ProbeOf<'dns'>> = {}): ProbeOf<'dns'> => ({
  type: 'dns',
  name: 'example.org',
  query: 'A',
  transport: 'udp',
  codes: ['NOERROR'],
  expect: null,
  ...settings,
});

export const smtpProbe = (settings: Partial<ProbeOf<'smtp'>> = {}): ProbeOf<'smtp'> => ({
  type: 'smtp',
  hello: 'probe.example',
  tls: null,
  startTls: false,
  ...settings,
});

export const scriptProbe = (
  command: readonly string[],
  settings: Partial<ProbeOf<'script'>> = {},
): ProbeOf<'script'> => ({
  type: 'script',
  command,
  environment: [],
  setsWeight: false,
  ...settings,
});

export const tlsOf = (settings: Partial<Tls> = {}): Tls => ({ ...defaultTls, ...settings });

export const checkOf = (probe: Probe, settings: Partial<Check> = {}): Check => ({
  name: 'alive',
  probe,
  address: null,
  port: null,
  interval: 10,
  timeout: 10,
  retryInterval: 10,
  downInterval: 10,
  jitter: 0,
  rise: 1,
  fall: 1,
  dependsOn: [],
  ...settings,
});

export const target = (port = 0): Destination => ({ address: '127.0.0.1', port });

/** The result of one probe. */
export function resultOf(
  start: StartProbe,
  probe: Probe,
  to: Destination,
  settings: Partial<Check> = {},
): Promise<ProbeResult> {
  return new Promise(resolve => {
    start(checkOf(probe, settings), to, resolve);
  });
}
