// SPDX-License-Identifier: Apache-2.0
// What servers that nobody here wrote answer to the probes of health checks: nginx (HTTP, TLS, SMTP), Redis, dnsmasq, and
// gRPC's own health service. MariaDB and PostgreSQL are large; their answers are recorded in test/unit/health/dialogs/.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { SecretContent } from '../../src/core/secret-content.ts';
import type { Probe, ProbeOf } from '../../src/health/model.ts';
import { createProbes } from '../../src/health/probes/start.ts';
import { outsideEnvironment } from '../outside-environment.ts';
import { dnsProbe, httpProbe, resultOf, smtpProbe, target, tlsOf } from '../unit/health/checks.ts';
import { NodeProber } from '../unit/health/node-prober.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-probes-'));
const inFolder = (name: string): string => join(folder, name);
const probes = createProbes(
  onEvents => new NodeProber(onEvents),
  systemClock,
  ({ file }) => new SecretContent(readFileSync(file)),
);
const servers: ChildProcess[] = [];
const body = 'all is well\n';

const result = (probe: Probe, port: number) => resultOf(probes.start, probe, target(port));
const verdict = async (probe: Probe, port: number) => {
  const { milliseconds, ...found } = await result(probe, port);
  expect(milliseconds).toBeGreaterThan(0);
  return found;
};

/** The kernel gives ports above these to connections: one that is free now is still free when its server starts. */
const firstPort = 12_000;
const lastPort = 32_000;

const isFree = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const listener = createServer();
    listener.once('error', () => resolve(false));
    listener.listen(port, '127.0.0.1', () => listener.close(() => resolve(true)));
  });

/** Ports that are free on loopback, for TCP. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** What the servers print: a server that does not come up has said why. */
const printed: string[] = [];

function serve(program: string, ...words: string[]): void {
  const server = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder, env: outsideEnvironment });
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text: Buffer) => printed.push(String(text)));
  server.on('error', error => printed.push(`${program}: ${error.message}\n`));
  server.on('exit', (status, signal) => printed.push(`${program} ended with ${signal ?? status}\n`));
  servers.push(server);
}

async function isUp(probe: Probe, port: number): Promise<void> {
  let last = '';
  const passes = async () => {
    const { passed, detail } = await result(probe, port);
    last = detail;
    expect(passed).toBe(true);
  };
  try {
    await vi.waitFor(passes, { timeout: 30_000, interval: 50 });
  } catch (cause) {
    throw new Error(`the check of port ${port} says: ${last}; the servers have printed: ${printed.join('')}`, {
      cause,
    });
  }
}

const openssl = (...words: string[]): void => {
  execFileSync('openssl', words, { cwd: folder, stdio: 'ignore' });
};

/** NAME.crt and NAME.key, of the authority ca.crt, or signed by itself. */
function certificate(
  name: string,
  { subject = '/CN=shop.example', alternative = 'DNS:shop.example', days = '30', ca = true } = {},
): void {
  writeFileSync(inFolder(`${name}.ext`), `subjectAltName=${alternative}\n`);
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    subject,
  );
  const signer = ca ? ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'] : ['-signkey', `${name}.key`];
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.crt`,
    '-days',
    days,
    '-extfile',
    `${name}.ext`,
    ...signer,
  );
}

const trusted = (settings: Parameters<typeof tlsOf>[0] = {}) =>
  tlsOf({ authorities: inFolder('ca.crt'), name: 'shop.example', ...settings });

let ports = { http: 0, https: 0, expired: 0, own: 0, client: 0, smtp: 0, redis: 0, secret: 0, dns: 0 };

function startNginx(): void {
  const secure = (port: number, name: string, more = '') =>
    `server { listen 127.0.0.1:${port} ssl; ssl_certificate ${name}.crt; ssl_certificate_key ${name}.key; ${more} location / { root ${folder}; } }`;
  writeFileSync(inFolder('body.txt'), body);
  writeFileSync(
    inFolder('nginx.conf'),
    `load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server {
    listen 127.0.0.1:${ports.http};
    location / { root ${folder}; }
    location /chunked { proxy_pass http://127.0.0.1:${ports.http}/body.txt; proxy_http_version 1.1; sub_filter well fine; sub_filter_types *; }
    location /host { return 200 $http_host; }
    location /away { return 503; }
  }
  ${secure(ports.https, 'shop')}
  ${secure(ports.expired, 'expired')}
  ${secure(ports.own, 'own')}
  ${secure(ports.client, 'shop', 'ssl_client_certificate ca.crt; ssl_verify_client on;')}
}
mail {
  server_name mail.example; auth_http 127.0.0.1:${ports.http}/auth;
  server { listen 127.0.0.1:${ports.smtp}; protocol smtp; smtp_auth none; starttls on; ssl_certificate shop.crt; ssl_certificate_key shop.key; }
}
`,
  );
  serve('/usr/sbin/nginx', '-p', folder, '-c', inFolder('nginx.conf'));
}

beforeAll(async () => {
  const [http = 0, https = 0, expired = 0, own = 0, client = 0, smtp = 0, redis = 0, secret = 0, dns = 0] =
    await freePorts(9);
  ports = { http, https, expired, own, client, smtp, redis, secret, dns };
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '30',
    '-subj',
    '/CN=authority',
  );
  certificate('shop');
  certificate('expired', { days: '-1' });
  certificate('own', { ca: false });
  startNginx();
  serve('redis-server', '--port', String(redis), '--bind', '127.0.0.1', '--save', '', '--dir', folder);
  serve(
    'redis-server',
    '--port',
    String(secret),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    folder,
    '--requirepass',
    'x',
  );
  serve(
    '/usr/sbin/dnsmasq',
    ...[
      '--keep-in-foreground',
      '--no-resolv',
      '--no-hosts',
      '--conf-file=/dev/null',
      '--listen-address=127.0.0.1',
      '--bind-interfaces',
    ],
    ...[
      '--user=root',
      '--pid-file=',
      `--port=${dns}`,
      '--host-record=www.example,192.0.2.1,2001:db8::1',
      '--local=/example/',
    ],
    ...['--mx-host=example,mail.example,10', '--txt-record=example,v=spf1 -all', '--cname=web.example,www.example'],
    ...['--srv-host=_sip._tcp.example,www.example,5060,1,2', '--auth-server=ns.example', '--auth-zone=zone.example'],
    ...Array.from({ length: 60 }, (_, at) => `--host-record=many.example,192.0.2.${at + 1}`),
  );
  await isUp(httpProbe({ path: '/body.txt' }), http);
  await isUp({ type: 'redis' }, redis);
  await isUp({ type: 'redis' }, secret);
  await isUp(dnsProbe({ name: 'www.example' }), dns);
});

afterAll(async () => {
  probes.close();
  await Promise.all(
    servers.map(server => {
      const ended = new Promise(resolve => server.once('exit', resolve));
      if (server.exitCode === null && server.kill()) return ended;
      return undefined;
    }),
  );
  rmSync(folder, { recursive: true, force: true });
});

describe('nginx', () => {
  const digest = (name: string) => createHash(name).update(body).digest('hex');
  it.each([
    [{ path: '/body.txt', contains: 'is well', digest: digest('md5') }, true, 'HTTP 200 OK'],
    [
      { path: '/body.txt', matches: '^all is \\w+$', digest: null },
      false,
      'HTTP 200 OK, but the body does not match ^all is \\w+$',
    ],
    [{ path: '/body.txt', digest: digest('sha256') }, true, 'HTTP 200 OK'],
    [{ path: '/body.txt', method: 'HEAD' }, true, 'HTTP 200 OK'],
    [{ path: '/chunked', contains: 'all is fine' }, true, 'HTTP 200 OK'],
    [{ path: '/host', host: 'shop.example', contains: 'shop.example' }, true, 'HTTP 200 OK'],
    [{ path: '/away' }, false, 'HTTP 503 Service Temporarily Unavailable'],
    [{ path: '/none', status: [[404, 404]] }, true, 'HTTP 404 Not Found'],
  ] satisfies [Partial<ProbeOf<'http'>>, boolean, string][])('%j', async (settings, passed, detail) => {
    expect(await verdict(httpProbe(settings), ports.http)).toEqual({ passed, detail });
  });

  it('speaks TLS to who speaks it, and says so to who does not', async () => {
    const path = '/body.txt';
    expect(await verdict(httpProbe({ path, tls: trusted(), contains: 'well' }), ports.https)).toEqual({
      passed: true,
      detail: 'HTTP 200 OK',
    });
    expect((await verdict(httpProbe({ path }), ports.https)).detail).toBe('HTTP 400 Bad Request');
    expect((await verdict(httpProbe({ path, tls: trusted() }), ports.http)).detail).toBe(
      'the target does not speak TLS',
    );
  });

  it.each([
    ['expired', {}, 'the certificate has expired'],
    ['own', {}, 'the certificate is signed by itself, not by an authority that is trusted'],
    ['https', { name: 'other.example' }, 'the certificate is for shop.example, not for other.example'],
    ['https', { name: null }, 'the certificate is for shop.example, not for 127.0.0.1'],
    [
      'https',
      { authorities: null },
      'the certificate is of an authority that is not trusted, or its chain is not complete',
    ],
    ['https', { authorities: '/nowhere' }, '/nowhere cannot be read: no such file or directory'],
  ] as const)('%s with %j fails: %s', async (server, settings, detail) => {
    const tls = trusted(settings);
    expect(await verdict(httpProbe({ path: '/body.txt', tls }), ports[server])).toEqual({ passed: false, detail });
    if ('authorities' in settings && settings.authorities !== null) return;
    expect(
      (await verdict(httpProbe({ path: '/body.txt', tls: { ...tls, verify: false } }), ports[server])).passed,
    ).toBe(true);
  });

  it('takes the name from the host of the request', async () => {
    const probe = httpProbe({ path: '/body.txt', host: 'shop.example:8443', tls: trusted({ name: null }) });
    expect((await verdict(probe, ports.https)).passed).toBe(true);
  });

  it('gets the certificate of the client', async () => {
    const path = '/body.txt';
    expect((await verdict(httpProbe({ path, tls: trusted() }), ports.client)).detail).toBe('HTTP 400 Bad Request');
    const tls = trusted({ certificate: inFolder('shop.crt'), key: { file: inFolder('shop.key') } });
    expect((await verdict(httpProbe({ path, tls }), ports.client)).passed).toBe(true);
  });

  it('greets as a mail server, also inside of TLS', async () => {
    const greeted = { passed: true, detail: '220 mail.example ESMTP ready' };
    expect(await verdict(smtpProbe(), ports.smtp)).toEqual(greeted);
    expect(await verdict(smtpProbe({ startTls: true, tls: trusted() }), ports.smtp)).toEqual(greeted);
    expect(
      (await verdict(smtpProbe({ startTls: true, tls: trusted({ name: 'mail.example' }) }), ports.smtp)).detail,
    ).toBe('the certificate is for shop.example, not for mail.example');
  });
});

it('Redis answers PING, and asks for a password', async () => {
  expect(await verdict({ type: 'redis' }, ports.redis)).toEqual({ passed: true, detail: 'PONG' });
  expect(await verdict({ type: 'redis' }, ports.secret)).toEqual({
    passed: true,
    detail: 'answered: NOAUTH Authentication required.',
  });
  expect((await verdict({ type: 'redis' }, ports.smtp)).detail).toBe('not Redis: "220 mail.example ESMTP ready"');
});

describe('dnsmasq', () => {
  it.each([
    [{ name: 'www.example', expect: '192.0.2.1' }, true, 'NOERROR, 1 answer'],
    [{ name: 'WWW.example.', query: 'AAAA', expect: '2001:db8:0:0::1' }, true, 'NOERROR, 1 answer'],
    [{ name: 'www.example', expect: '192.0.2.9' }, false, 'NOERROR, 1 answer, but "192.0.2.9" is not among them'],
    [{ name: 'web.example', expect: '192.0.2.1' }, true, 'NOERROR, 2 answers'],
    [{ name: 'web.example', query: 'CNAME', expect: 'www.example' }, true, 'NOERROR, 1 answer'],
    [{ name: 'example', query: 'MX', expect: '10 mail.example' }, true, 'NOERROR, 1 answer'],
    [{ name: 'example', query: 'TXT', expect: 'v=spf1 -all' }, true, 'NOERROR, 1 answer'],
    [{ name: '_sip._tcp.example', query: 'SRV', expect: '1 2 5060 www.example' }, true, 'NOERROR, 1 answer'],
    [{ name: 'none.example' }, false, 'NXDOMAIN, 0 answers'],
    [{ name: 'elsewhere.org' }, false, 'REFUSED, 0 answers'],
    [{ name: 'elsewhere.org', codes: ['REFUSED'] }, true, 'REFUSED, 0 answers'],
    [{ name: 'many.example', transport: 'tcp', expect: '192.0.2.60' }, true, 'NOERROR, 60 answers'],
  ] satisfies [Partial<ProbeOf<'dns'>>, boolean, string][])('%j', async (settings, passed, detail) => {
    expect(await verdict(dnsProbe(settings), ports.dns)).toEqual({ passed, detail });
  });

  it('truncates what does not fit into a datagram', async () => {
    const { passed, detail } = await verdict(dnsProbe({ name: 'many.example' }), ports.dns);
    expect(passed).toBe(true);
    expect(detail).toMatch(/^NOERROR, \d+ answers, truncated$/);
  });
});

describe("gRPC's health service", () => {
  const server = new grpc.Server();
  const bare = new grpc.Server();
  const secure = new grpc.Server();
  const health = new HealthImplementation({ '': 'SERVING', shop: 'SERVING', cart: 'NOT_SERVING' });
  const listening = (one: grpc.Server, credentials: grpc.ServerCredentials) =>
    new Promise<number>((resolve, reject) => {
      one.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
  let plainPort = 0;
  let barePort = 0;
  let securePort = 0;

  beforeAll(async () => {
    health.addToServer(server);
    health.addToServer(secure);
    const keys = [{ private_key: readFileSync(inFolder('shop.key')), cert_chain: readFileSync(inFolder('shop.crt')) }];
    plainPort = await listening(server, grpc.ServerCredentials.createInsecure());
    barePort = await listening(bare, grpc.ServerCredentials.createInsecure());
    securePort = await listening(secure, grpc.ServerCredentials.createSsl(null, keys));
  });
  afterAll(() => {
    for (const one of [server, bare, secure]) one.forceShutdown();
  });

  const probe = (service: string, tls: ProbeOf<'grpc'>['tls'] = null): Probe => ({ type: 'grpc', service, tls });

  it.each([
    ['', true, 'SERVING'],
    ['shop', true, 'SERVING'],
    ['cart', false, 'NOT_SERVING'],
    ['none', false, 'the server does not know the service "none"'],
  ])('of service %j', async (service, passed, detail) => {
    expect(await verdict(probe(service), plainPort)).toEqual({ passed, detail });
  });

  it('is asked over TLS, too', async () => {
    expect(await verdict(probe('', trusted()), securePort)).toEqual({ passed: true, detail: 'SERVING' });
    expect((await verdict(probe('', trusted({ name: 'a.example' })), securePort)).detail).toBe(
      'the certificate is for shop.example, not for a.example',
    );
    expect((await verdict(probe('', trusted()), ports.https)).detail).toBe(
      'the server does not agree to HTTP/2 (ALPN)',
    );
  });

  it('is missing in a server without it, and in other servers', async () => {
    expect(await verdict(probe(''), barePort)).toEqual({
      passed: false,
      detail: 'the server does not implement grpc.health.v1.Health',
    });
    expect((await verdict(probe(''), ports.http)).detail).toMatch(/^not HTTP\/2: /);
  });
});
