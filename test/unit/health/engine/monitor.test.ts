// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { failed, healthOf, modelOf, monitorOf, passed } from './engine.ts';

const alive = { tcp: {}, interval: 1, jitter: 0, rise: 2, fall: 3 };
const one = { servers: ['10.0.2.1:80'], health: 'alive' };
const first = '10.0.2.1:80';

describe('a check that travels as traffic', () => {
  const dr = { servers: [{ server: '10.0.2.1:80', mode: 'dr' }], health: 'way' };
  const probesOf = async (check: object, services: { servers: unknown[]; health: string }[]) => {
    const { clock, probes } = monitorOf(modelOf({ way: { ...alive, ...check } }, services));
    await clock.advance(1000);
    return probes.map(({ what }) => what);
  };

  it('is made once for each service, as each has an address of its own', async () => {
    expect(await probesOf({}, [dr, dr])).toEqual(['way 10.0.2.1']);
    expect(await probesOf({ tcp: { like_traffic: true } }, [dr, dr])).toEqual(['way 10.0.2.1', 'way 10.0.2.1']);
  });

  it('is one for all services whose traffic goes to the server itself', async () => {
    const nat = { servers: ['10.0.2.1:80'], health: 'way' };
    expect(await probesOf({ tcp: { like_traffic: true } }, [nat, nat])).toEqual(['way 10.0.2.1']);
  });
});

describe('a target', () => {
  it('is up before its first result, and the first result decides', async () => {
    const { monitor, clock, answers } = monitorOf(modelOf({ alive }, [one]));
    expect(healthOf(monitor)).toEqual({ [first]: 'up?' });
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(1000);
    expect(healthOf(monitor)).toEqual({ [first]: 'down' });
  });

  it('is down before its first result where the service says so', async () => {
    const { monitor, clock } = monitorOf(
      modelOf({ alive }, [{ ...one, health: { checks: ['alive'], start: 'down' } }]),
    );
    expect(healthOf(monitor)).toEqual({ [first]: 'down?' });
    await clock.advance(1000);
    expect(healthOf(monitor)).toEqual({ [first]: 'up' });
  });

  it('goes down with the third failure in a row, and comes back with the second success in a row', async () => {
    const { monitor, clock, answers } = monitorOf(modelOf({ alive }, [one]));
    await clock.advance(600);
    const states: (string | undefined)[] = [];
    for (const result of [failed, failed, passed, failed, failed, failed, passed, failed, passed, passed]) {
      answers.set('alive 10.0.2.1', result);
      await clock.advance(1000);
      states.push(healthOf(monitor)[first]);
    }
    expect(states).toEqual(['up', 'up', 'up', 'up', 'up', 'down', 'down', 'down', 'down', 'up']);
  });

  it('is tried at the interval, the first time within it; sooner while results differ; seldom while it stays down', async () => {
    const check = { ...alive, retry_interval: 0.2, timeout: 0.1, down_interval: 4, fall: 2 };
    const { clock, answers, probes } = monitorOf(modelOf({ alive: check }, [one]));
    await clock.advance(1600);
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(10_400);
    // Half of the interval at random, then 1 s; failures after 200 ms; down, and doubled from 1 s to 4 s.
    expect(probes.map(({ at }) => at)).toEqual([500, 1500, 2500, 2700, 3700, 5700, 9700]);
  });

  it('needs more successes to come back while it flaps, and one round of them when it is calm again', async () => {
    const { monitor, clock, answers } = monitorOf(modelOf({ alive: { ...alive, rise: 1, fall: 1 } }, [one]));
    await clock.advance(600);
    const upAfter = async (): Promise<number> => {
      answers.set('alive 10.0.2.1', failed);
      await clock.advance(1000);
      answers.set('alive 10.0.2.1', passed);
      let successes = 0;
      while (healthOf(monitor)[first] === 'down') {
        await clock.advance(1000);
        successes++;
      }
      return successes;
    };
    expect([await upAfter(), await upAfter(), await upAfter(), await upAfter(), await upAfter()]).toEqual([
      1, 1, 2, 4, 8,
    ]);
    await clock.advance(60_000);
    expect(await upAfter()).toBe(1);
  });

  it.each([
    ['all', ['down', 'down']],
    ['any', ['up', 'down']],
    [2, ['up', 'down']],
  ])('needs %s of its checks', async (need, expected) => {
    const health = { checks: [{ check: 'alive', weight: 2 }, 'deep'], need };
    const { monitor, clock, answers } = monitorOf(modelOf({ alive, deep: alive }, [{ ...one, health }]));
    answers.set('deep 10.0.2.1', failed);
    await clock.advance(1000);
    const states = [healthOf(monitor)[first]];
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(3000);
    expect([...states, healthOf(monitor)[first]]).toEqual(expected);
  });

  it('does not change for what this host could not try', async () => {
    const { monitor, clock, answers } = monitorOf(modelOf({ alive }, [one]));
    await clock.advance(1000);
    answers.set('alive 10.0.2.1', { ...failed, isOpen: true });
    await clock.advance(10_000);
    expect(healthOf(monitor)).toEqual({ [first]: 'up' });
  });

  it('does not change for a check whose dependency is down', async () => {
    const checks = {
      gateway: { ping: {}, address: '10.0.2.254', interval: 1, jitter: 0, fall: 1 },
      alive: { ...alive, depends_on: ['gateway'] },
    };
    const { monitor, clock, answers } = monitorOf(modelOf(checks, [one]));
    await clock.advance(600);
    answers.set('gateway 10.0.2.254', failed);
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(10_000);
    expect(healthOf(monitor)).toEqual({ [first]: 'up' });
    answers.set('gateway 10.0.2.254', passed);
    await clock.advance(6000);
    expect(healthOf(monitor)).toEqual({ [first]: 'down' });
  });

  it('is tried once for all services that want the same check', async () => {
    const { clock, probes } = monitorOf(modelOf({ alive }, [one, one]));
    await clock.advance(600);
    expect(probes).toHaveLength(1);
  });

  it('gets the lowest weight that its checks find, and a slow start when it comes back', async () => {
    const health = { checks: ['alive', 'load'], slow_start: 10 };
    const { monitor, clock, answers } = monitorOf(
      modelOf({ alive: { ...alive, rise: 1, fall: 1 }, load: alive }, [{ ...one, health }]),
    );
    answers.set('load 10.0.2.1', { ...passed, weight: 7 });
    answers.set('alive 10.0.2.1', { ...passed, weight: 9 });
    await clock.advance(600);
    const view = () => [...monitor.groups][0]?.targets[0];
    expect(view()).toMatchObject({ weight: 7, share: 1 });
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(1000);
    answers.set('alive 10.0.2.1', passed);
    await clock.advance(1000);
    const shares = [];
    for (let second = 0; second < 10; second++) {
      shares.push(view()?.share);
      await clock.advance(1000);
    }
    expect(shares).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  });
});

describe('the quorum', () => {
  it('beyond all weights together is as good as all of them', async () => {
    const { monitor, clock } = monitorOf(modelOf({ alive }, [{ ...one, health: { checks: ['alive'], quorum: 9 } }]));
    await clock.advance(1000);
    expect([...monitor.groups][0]?.quorum).toBe('up');
  });

  // keepalived: up with quorum + hysteresis, lost below quorum - hysteresis.
  it('is lost and met by weights, with hysteresis', async () => {
    const servers = [1, 2, 3, 4, 5].map(host => `10.0.2.${host}:80`);
    const fast = { ...alive, rise: 1, fall: 1 };
    const health = { checks: ['alive'], quorum: 3, hysteresis: 1 };
    const { monitor, clock, answers, news } = monitorOf(modelOf({ alive: fast }, [{ servers, health }]));
    await clock.advance(600);
    const set = async (host: number, result: typeof passed): Promise<string | undefined> => {
      answers.set(`alive 10.0.2.${host}`, result);
      await clock.advance(1000);
      return [...monitor.groups][0]?.quorum;
    };
    expect([await set(1, failed), await set(2, failed), await set(3, failed), await set(4, failed)]).toEqual([
      'up',
      'up',
      'up',
      'down',
    ]);
    expect([await set(1, passed), await set(2, passed), await set(3, passed)]).toEqual(['down', 'down', 'up']);
    expect(news.filter(line => line.includes('quorum'))).toEqual([
      'tcp 10.0.1.1:80 quorum down',
      'tcp 10.0.1.1:80 quorum up',
    ]);
  });
});

it('says once that no target of a group is up any more, and that one is again', async () => {
  const servers = ['10.0.2.1:80', '10.0.2.2:80'];
  const fast = { ...alive, rise: 1, fall: 1 };
  const { clock, answers, news } = monitorOf(modelOf({ alive: fast }, [{ servers, health: { checks: ['alive'] } }]));
  await clock.advance(600);
  for (const [host, result] of [
    [1, failed],
    [2, failed],
    [1, passed],
    [2, passed],
  ] as const) {
    answers.set(`alive 10.0.2.${host}`, result);
    await clock.advance(1000);
  }
  expect(news.filter(line => line.includes(' all '))).toEqual(['tcp 10.0.1.1:80 all down', 'tcp 10.0.1.1:80 all up']);
});

describe('another model', () => {
  it('keeps the states of checks and targets that it has as well, and forgets the others', async () => {
    const two = { servers: [first, '10.0.2.2:80'], health: 'alive' };
    const { monitor, clock, answers, probes } = monitorOf(modelOf({ alive }, [two]));
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(1000);
    monitor.configure(
      modelOf({ alive: { ...alive, interval: 2, http: undefined } }, [
        { servers: [first, '10.0.2.3:80'], health: 'alive' },
      ]),
    );
    expect(healthOf(monitor)).toEqual({ [first]: 'down', '10.0.2.3:80': 'up?' });
    probes.length = 0;
    await clock.advance(10_000);
    expect(new Set(probes.map(({ what }) => what))).toEqual(new Set(['alive 10.0.2.1', 'alive 10.0.2.3']));
  });

  it('tells those who wait what changed after the version that they know', async () => {
    const { monitor, clock, answers } = monitorOf(modelOf({ alive }, [one, { ...one, servers: ['10.0.2.2:80'] }]));
    await clock.advance(1000);
    const known = monitor.version;
    const waited = monitor.changed(known, new AbortController().signal);
    answers.set('alive 10.0.2.2', failed);
    await clock.advance(4000);
    await waited;
    expect(monitor.changedAfter(known).map(({ key }) => key)).toEqual(['tcp 10.0.1.2:80']);
    expect(monitor.removedAfter(known)).toBe(false);
    monitor.configure(modelOf({ alive }, [one]));
    expect(monitor.removedAfter(known)).toBe(true);
  });

  it('tells nothing where nothing is different: after more of the same results, and after the same model again', async () => {
    const model = () => modelOf({ alive }, [one]);
    const { monitor, clock, probes } = monitorOf(model());
    await clock.advance(2000);
    const known = monitor.version;
    await clock.advance(5000);
    expect(monitor.version).toBe(known);
    monitor.configure(model());
    expect(monitor.changedAfter(known)).toEqual([]);
    // The probes go on as if nothing had been said.
    probes.length = 0;
    await clock.advance(3000);
    expect(probes).toHaveLength(3);
  });

  it('leaves a slow start to go on', async () => {
    const model = () =>
      modelOf({ alive: { ...alive, rise: 1, fall: 1 } }, [{ ...one, health: { checks: ['alive'], slow_start: 10 } }]);
    const { monitor, clock, answers } = monitorOf(model());
    await clock.advance(600);
    answers.set('alive 10.0.2.1', failed);
    await clock.advance(1000);
    answers.set('alive 10.0.2.1', passed);
    await clock.advance(1000);
    const share = () => [...monitor.groups][0]?.targets[0]?.share;
    monitor.configure(model());
    expect(share()).toBe(0.1);
    await clock.advance(5000);
    monitor.configure(model());
    expect(share()).toBe(0.6);
    await clock.advance(5000);
    expect(share()).toBe(1);
    monitor.close();
    expect(clock.pending).toBe(0);
  });

  it('leaves no timer behind when all ends', async () => {
    const { monitor, clock } = monitorOf(
      modelOf({ alive }, [{ ...one, health: { checks: ['alive'], slow_start: 10 } }]),
    );
    await clock.advance(1000);
    monitor.close();
    expect(clock.pending).toBe(0);
  });
});
