// SPDX-License-Identifier: Apache-2.0
// The admin API of a running Sluice: each answer matches its schema, and no request ends a process.
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { controlReload, controlStatus, followEventsRoute } from '../../src/control/api.ts';
import { ApiClient } from '../../src/core/api/client.ts';
import { openApiRoute } from '../../src/core/api/openapi.ts';
import type { AnswerOf, RouteDefinition } from '../../src/core/api/route.ts';
import { apiDescription, apiRoutes } from '../../src/daemon/api.ts';
import {
  directorCapture,
  directorConnections,
  directorExplain,
  directorIpvsadm,
  directorServices,
} from '../../src/director/api.ts';
import { describeAsRoot } from '../privileges.ts';
import { answerIn, exchange, get, post } from '../unit/core/api/served.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

// Every plane runs.
const document = `
health: { checks: { web: http } }
director:
  services:
    - { tcp: ${virtual}:80, scheduler: rr, health: web, servers: [10.2.0.2:8080] }
`;

describeAsRoot('the admin API of a running sluice', () => {
  let running: RunningSluice;
  let client: ApiClient;
  beforeAll(async () => {
    running = await RunningSluice.startBy(document, '--workers', '2');
    client = new ApiClient(running.socket);
    await running.request(3);
  });
  afterAll(() => running?.stop());

  async function valuesOf<D extends RouteDefinition>(definition: D, parameters: object = {}): Promise<AnswerOf<D>[]> {
    const asked = parameters as Parameters<typeof client.call<D>>[1];
    if (definition.text !== undefined) return [(await client.text(definition, asked)) as AnswerOf<D>];
    if (!definition.streams) return [await client.call(definition, asked)];
    const values: AnswerOf<D>[] = [];
    for await (const value of client.stream(definition, asked)) values.push(value);
    return values;
  }

  const thatEnd = apiRoutes.filter(({ method, path }) => method === 'GET' && path !== followEventsRoute.path);

  it.each(thatEnd.map(route => [route.path, route] as const))('%s is answered as its schema says', async (_, route) => {
    const values = await valuesOf(route);
    expect(values.length).toBeGreaterThan(0);
    const schema = Compile(route.answer);
    expect(values.flatMap(value => schema.Errors(value))).toEqual([]);
  });

  it('follows events as its schema says, up to the end that the client asks for', async () => {
    const ending = new AbortController();
    const schema = Compile(followEventsRoute.answer);
    let last = 0;
    for await (const line of client.stream(followEventsRoute, {}, { signal: ending.signal })) {
      expect(schema.Errors(line)).toEqual([]);
      if ('number' in line) last = line.number;
      ending.abort();
    }
    expect(last).toBeGreaterThan(0);
  });

  it('explains as its schema says', async () => {
    const explained = await client.call(directorExplain, { packet: `tcp 10.1.0.2:1024 ${virtual}:80 S`, mark: 0 });
    expect(Compile(directorExplain.answer).Errors(explained)).toEqual([]);
    expect(explained.packets).toMatchObject([{ reason: 'scheduled' }]);
  });

  it('accepts the same question as a form', async () => {
    const form = `packet=${encodeURIComponent(`tcp 10.1.0.2:1024 ${virtual}:80 S`)}&mark=7`;
    const answer = await exchange(running.socket, post('/director/explain', form, 'application/x-www-form-urlencoded'));
    expect(answerIn(answer)).toMatchObject({ status: 200, body: { port: 'eth0' } });
  });

  it('captures as its schema says, up to the end that the client asks for', async () => {
    const ending = new AbortController();
    const lines: AnswerOf<typeof directorCapture>[] = [];
    const capturing = (async () => {
      for await (const line of client.stream(directorCapture, { port: 80 }, { signal: ending.signal }))
        lines.push(line);
    })();
    await until('the capture has begun', 10_000, () => lines.length > 0);
    await running.request();
    ending.abort();
    await capturing;
    expect(lines[0]).toEqual({ devices: ['eth0', 'eth1'] });
    expect(lines.length).toBeGreaterThan(4);
    const schema = Compile(directorCapture.answer);
    expect(lines.flatMap(line => schema.Errors(line))).toEqual([]);
  });

  it('gives the connections of a service, or of a client', async () => {
    const service = `tcp ${virtual}:80`;
    const all = await valuesOf(directorConnections);
    expect(await valuesOf(directorConnections, { service })).toHaveLength(all.length);
    expect(await valuesOf(directorConnections, { client: '10.1.0.2' })).toHaveLength(all.length);
    expect(await valuesOf(directorConnections, { service, client: '10.1.0.3' })).toEqual([]);
    await expect(valuesOf(directorConnections, { service: 'tcp 1.2.3.4:80' })).rejects.toThrow(`such as ${service}`);
    await expect(valuesOf(directorConnections, { client: 'x' })).rejects.toThrow('not an address: "x"');
  });

  it('lists what ipvsadm lists, and describes itself', async () => {
    expect(await client.call(directorIpvsadm, {})).toContain(`TCP  ${virtual}:80 rr\n`);
    expect(await client.call(openApiRoute, {})).toEqual(JSON.parse(JSON.stringify(apiDescription)));
  });

  it('reloads, and says what has changed or what is wrong', async () => {
    const before = await client.call(controlStatus, {});
    expect(await client.call(controlReload, {})).toEqual({ id: before.snapshot, changes: [] });
    running.configure(`${document}    - { tcp: nonsense }\n`);
    await expect(client.call(controlReload, {})).rejects.toMatchObject({
      code: expect.stringMatching(/^SLUICE_CONFIG_/),
      place: { line: 6 },
      exitStatus: 1,
    });
    expect(await client.call(controlStatus, {})).toEqual(before);
    running.configure(`${document}    - { tcp: '${virtual}:81' }\n`);
    const { id, changes } = await client.call(controlReload, {});
    expect(changes).toEqual([expect.stringContaining(`${virtual}:81`)]);
    expect(await client.call(controlStatus, {})).toMatchObject({ snapshot: id });
    expect(await client.call(directorServices, {})).toHaveLength(2);
  });

  it('stays in the same process after any request', async () => {
    const { processes } = await client.call(controlStatus, {});
    const requests = [
      ...[get('//'), get('http://[::1'), get('/director/top?x=%'), 'CONNECT a:1 HTTP/1.1\r\n\r\n', '\0\xff\r\n\r\n'],
      post('/director/explain', '{"__proto__":{"packet":"x"}}'),
      post('/director/explain', '{"frame":"00"}'),
      post('/director/explain', '{"packet":"raw"}'),
      post('/director/capture', '{"service":"x"}'),
    ];
    for (const request of requests) {
      const { status, body } = answerIn(await exchange(running.socket, request));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(body).toMatchObject({ error: { code: expect.stringMatching(/^SLUICE_/) } });
    }
    expect(await client.call(controlStatus, {})).toMatchObject({ processes });
    await running.request();
  });
});
