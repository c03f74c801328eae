// SPDX-License-Identifier: Apache-2.0
// The two ends of a plane's socket, without the socket.
import { describe, expect, it } from 'vitest';
import { PlaneHost } from '../../../src/control/plane-host.ts';
import { RemotePlane } from '../../../src/control/remote-plane.ts';
import type { ApiClient } from '../../../src/core/api/client.ts';
import type { Plane, PlanePart, Prepared } from '../../../src/core/plane.ts';

const part = (id: string): PlanePart => ({ id, digest: `digest of ${id}`, model: {} });

function hosted(prepare?: (part: PlanePart) => Promise<void>) {
  const log: string[] = [];
  let inForce: string | undefined;
  const plane: Plane = {
    name: 'toy',
    async prepare(given: PlanePart): Promise<Prepared> {
      log.push(`prepare ${given.id}`);
      await prepare?.(given);
      return {
        changes: [given.id],
        commit: async () => {
          log.push(`commit ${given.id}`);
          inForce = given.digest;
        },
        abort: async () => void log.push(`abort ${given.id}`),
      };
    },
    inForce: async () => inForce,
  };
  const host = new PlaneHost({ plane, committed: ({ id }) => void log.push(`${id} is in force`) });
  const ask = (path: string, parameters: object = {}, signal = new AbortController().signal): Promise<unknown> => {
    const found = host.answers.find(({ definition }) => definition.path === path);
    if (found === undefined) throw new Error(`nothing answers ${path}`);
    return Promise.resolve(found.handler(parameters, { signal }));
  };
  return { log, host, ask };
}

describe('the process of a plane', () => {
  it('prepares, commits and says what is in force', async () => {
    const { log, ask } = hosted();
    expect(await ask('/plane/in-force')).toEqual({});
    expect(await ask('/plane/prepare', { change: 'c1', part: part('one') })).toEqual({ changes: ['one'] });
    expect(await ask('/plane/commit', { change: 'c1' })).toEqual({});
    expect(log).toEqual(['prepare one', 'commit one', 'one is in force']);
    expect(await ask('/plane/in-force')).toEqual({ digest: 'digest of one' });
  });

  it('takes a commit that is asked for again as done, and refuses one that was never prepared', async () => {
    const { log, ask } = hosted();
    await ask('/plane/prepare', { change: 'c1', part: part('one') });
    await ask('/plane/commit', { change: 'c1' });
    expect(await ask('/plane/commit', { change: 'c1' })).toEqual({});
    await expect(ask('/plane/commit', { change: 'c2' })).rejects.toMatchObject({
      code: 'SLUICE_PLANE_LOST',
      value: 'c2',
    });
    expect(log.filter(line => line === 'commit one')).toHaveLength(1);
  });

  it('forgets a change that is aborted, and the one before when another is prepared in its place', async () => {
    const { log, ask } = hosted();
    await ask('/plane/prepare', { change: 'c1', part: part('one') });
    await ask('/plane/prepare', { change: 'c2', part: part('two') });
    await ask('/plane/abort', { change: 'c1' });
    await ask('/plane/abort', { change: 'c2' });
    expect(log).toEqual(['prepare one', 'abort one', 'prepare two', 'abort two']);
    await expect(ask('/plane/commit', { change: 'c2' })).rejects.toMatchObject({ code: 'SLUICE_PLANE_LOST' });
  });

  it('forgets what a control that has ended prepared when the next control asks what is in force', async () => {
    const { log, ask } = hosted();
    await ask('/plane/prepare', { change: 'c1', part: part('one') });
    await ask('/plane/commit', { change: 'c1' });
    await ask('/plane/prepare', { change: 'c2', part: part('two') });
    expect(await ask('/plane/in-force')).toEqual({ digest: 'digest of one' });
    expect(log.at(-1)).toBe('abort two');
    await expect(ask('/plane/commit', { change: 'c2' })).rejects.toMatchObject({ code: 'SLUICE_PLANE_LOST' });
  });

  it('goes on with the next change when control waits no longer for one that hangs, and aborts that one later', async () => {
    let finish = (): void => undefined;
    const { log, ask } = hosted(async ({ id }) => {
      if (id === 'slow') {
        await new Promise<void>(resolve => {
          finish = resolve;
        });
      }
    });
    const waiting = new AbortController();
    const slow = ask('/plane/prepare', { change: 'c1', part: part('slow') }, waiting.signal);
    const refused = expect(slow).rejects.toThrow('nobody waits');
    await new Promise(setImmediate);
    waiting.abort(new Error('nobody waits'));
    await refused;
    await ask('/plane/prepare', { change: 'c2', part: part('quick') });
    finish();
    await new Promise(setImmediate);
    expect(log).toEqual(['prepare slow', 'prepare quick', 'abort slow']);
    await ask('/plane/commit', { change: 'c2' });
    expect(log.at(-1)).toBe('quick is in force');
  });

  it('continues with the snapshot of the process before, without control', async () => {
    const { log, host, ask } = hosted();
    await host.resume(part('kept'), new AbortController().signal);
    expect(log).toEqual(['prepare kept', 'commit kept', 'kept is in force']);
    expect(await ask('/plane/in-force')).toEqual({ digest: 'digest of kept' });
  });
});

describe('what control sends to the process of a plane', () => {
  const services = (...weights: number[]) => ({ services: weights.map(weight => ({ weight })) });
  const named = (id: string, model: unknown): PlanePart => ({ id, digest: `digest of ${id}`, model });
  const signal = new AbortController().signal;

  function connected() {
    const given: unknown[] = [];
    let host = hosted(async ({ model }) => void given.push(model));
    const sent: Record<string, unknown>[] = [];
    const call = async ({ path }: { path: string }, parameters: { part?: Record<string, unknown> }) => {
      if (parameters.part !== undefined) sent.push(parameters.part);
      // What goes through a socket shares nothing.
      return await host.ask(path, JSON.parse(JSON.stringify(parameters)));
    };
    const plane = new RemotePlane('toy', { call } as unknown as ApiClient);
    const replace = (): void => {
      host = hosted(async ({ model }) => void given.push(model));
    };
    return { plane, given, sent, replace };
  }

  it('is the whole model first, and then what is different from the part that the plane has confirmed', async () => {
    const { plane, given, sent } = connected();
    const [first, second, third] = [services(1, 2, 3), services(1, 5, 3), services(1, 5, 3, 4)];
    for (const [id, model] of Object.entries({ first, second, third })) {
      await (await plane.prepare(named(id, model), signal)).commit();
    }
    expect(given).toEqual([first, second, third]);
    expect(sent.map(part => part.edits)).toEqual([
      undefined,
      [{ set: ['services', 1, 'weight'], value: 5 }],
      [{ splice: ['services'], at: 3, count: 0, items: [{ weight: 4 }] }],
    ]);
  });

  it('is different from what is in force, not from what was given up', async () => {
    const { plane, given } = connected();
    await (await plane.prepare(named('first', services(1)), signal)).commit();
    await (await plane.prepare(named('second', services(2)), signal)).abort();
    await (await plane.prepare(named('third', services(1, 1)), signal)).commit();
    expect(given.at(-1)).toEqual(services(1, 1));
  });

  it('is the whole model again for a process that runs by another part or by none', async () => {
    const { plane, given, sent, replace } = connected();
    await (await plane.prepare(named('first', services(1)), signal)).commit();
    replace();
    const { changes } = await plane.prepare(named('second', services(1, 2)), signal);
    expect(changes).toEqual(['second']);
    expect(given).toEqual([services(1), services(1, 2)]);
    expect(sent.map(part => part.model !== undefined)).toEqual([true, false, true]);
  });
});
