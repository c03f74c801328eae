// SPDX-License-Identifier: Apache-2.0
// The process of control: documents, the snapshot in force and the admin socket. It owns no packet and no power of root;
// the supervisor reads the files of the command line for it and starts the planes that it asks for.
import { controlAnswers } from '../control/answers.ts';
import { Changes } from '../control/changes.ts';
import { Control, type ControlHost } from '../control/control.ts';
import { EventLog } from '../control/events/event-log.ts';
import { PlaneEvents } from '../control/events/plane-events.ts';
import { ProcessEvents } from '../control/events/process-events.ts';
import {
  endedEvent,
  startedEvent,
  upgradeAskedEvent,
  upgradeEvent,
  upgradeRefusedEvent,
} from '../control/events/run-events.ts';
import { Explainer } from '../control/explainer.ts';
import { History } from '../control/history/history.ts';
import type { PlaneMetrics } from '../control/metrics.ts';
import { Observer } from '../control/observer.ts';
import type { OwnPlane } from '../control/own-plane.ts';
import { planeMetricsRoute } from '../control/plane-api.ts';
import { RemotePlane } from '../control/remote-plane.ts';
import { ApiClient } from '../core/api/client.ts';
import { ApiServer } from '../core/api/server.ts';
import { systemClock } from '../core/clock.ts';
import type { SecretFile } from '../core/config/secret.ts';
import type { Sections, Snapshot } from '../core/config/snapshot.ts';
import { SluiceError, serializeError, UnavailableError } from '../core/errors.ts';
import type { Plane } from '../core/plane.ts';
import type { Listeners, Part, Turn } from './child.ts';
import type { Composition } from './composition.ts';
import { folderPath, socketDescriptor } from './descriptors.ts';
import { grantingSecrets } from './granting-secrets.ts';
import { KeptSnapshot } from './kept-snapshot.ts';
import { longestRefusal, type PlaneSocket, type ProcessState } from './messages.ts';
import type { Questions } from './questions.ts';
import type { SourceFiles } from './source.ts';
import { stateFolders } from './state-folder.ts';

export function controlPart<S extends Sections>(composition: Composition<S>): Part {
  return turn => startControl(composition, turn);
}

async function startControl<S extends Sections>(composition: Composition<S>, turn: Turn): ReturnType<Part> {
  const { format } = composition;
  const { deadlineMilliseconds } = turn.options;
  const { work, channel, crashState } = turn;
  const logger = turn.logger.child({ area: 'control' });
  const files = askedFiles(turn.questions);
  let processes: readonly ProcessState[] = [];
  let isUntold = work.replaces;
  const shown = stateFolders(turn.options.stateFolder).history;
  const history = await History.open({ path: folderPath, shown }, systemClock, problem => logger.warn(problem));
  const events = await EventLog.open({ folder: { path: folderPath, shown }, clock: systemClock, logger });
  const processEvents = new ProcessEvents(events);
  if (history.unavailable !== undefined) logger.warn({ err: history.unavailable }, 'the history cannot be used');
  const kept = new KeptSnapshot(format, crashState, history, logger);
  const ownPlanes = new Map<string, OwnPlane>();
  const host = hostOf(composition, turn, kept, ownPlanes);
  const control = new Control({
    format,
    host,
    clock: systemClock,
    logger,
    deadlineMilliseconds,
  });
  const { source, author, resumes } = turn.options;
  const hasFiles = source.config !== undefined || source.rules !== undefined;
  const read = (): Promise<Snapshot<S>> => composition.read(source, files);
  const changes = new Changes({
    ...{ control, format, history, logger, clock: systemClock, tell: events.tell },
    read: hasFiles ? read : undefined,
  });
  const observers = composition.planes
    .filter(({ observes }) => observes)
    .map(
      ({ policy: { name } }) =>
        new Observer({
          ...{ plane: name, client: clientOf(work.planes[name]), clock: systemClock, logger },
          isExpected: () => control.runs(name),
          observe: observed => control.observe(observed),
        }),
    );
  const planeEvents = composition.planes.map(
    ({ policy: { name } }) =>
      new PlaneEvents({ plane: name, client: clientOf(work.planes[name]), log: events, clock: systemClock }),
  );
  const access = {
    snapshot: () => control.snapshot,
    plane: (name: string) => (control.runs(name) ? clientOf(work.planes[name]) : undefined),
  };
  const watches = composition.watches?.({ ...access, events, clock: systemClock }) ?? [];
  const served = {
    answers: [
      ...controlAnswers({
        ...{ control, changes, history, events, format },
        explainer: new Explainer({ control, format, host, history, clock: systemClock }),
        processes: () => processes,
        warnings: turn.options.warnings,
        planes: () => runningPlanes().map(plane => metricsOf(plane, clientOf(work.planes[plane]))),
        logger,
        refusedObservations: () =>
          new Map(
            observers.flatMap(({ plane, refused }) => (refused === undefined ? [] : [[plane, refused] as const])),
          ),
        ownProblems: () => [...ownPlanes.values()].flatMap(({ problems = [] }) => problems),
        clock: systemClock,
        upgrade,
      }),
      ...composition.answers({ ...access, changes, tell: events.tell }),
    ],
    forward: Object.fromEntries(
      Object.entries(work.planes).map(([name, socket]) => [
        `/${name}/`,
        { ...socket, unavailable: () => (control.runs(name) ? undefined : notConfigured(name)) },
      ]),
    ),
  };
  const server = new ApiServer({ name: 'admin socket', ...served, listen: { fd: socketDescriptor }, logger });
  const ownEnvironment = {
    ...{ events, folder: folderPath },
    ...served,
    readSecret: (secret: SecretFile) => turn.questions.secret(secret),
    clock: systemClock,
    logger,
  };
  for (const plane of composition.own?.(ownEnvironment) ?? []) ownPlanes.set(plane.name, plane);
  const listeners: Listeners = {
    reload: () => {
      channel.send('reloading', {});
      changes
        .reload({ author, reason: 'SIGHUP' })
        .catch(err => logger.error({ err }, 'the configuration was not applied: everything goes on as before'));
    },
    processes: fields => {
      if (isUntold) tellUpgrade(fields.processes);
      const changed = fields.processes.filter(({ name, pid }) => pid !== processes.find(one => one.name === name)?.pid);
      processes = fields.processes;
      processEvents.take(processes);
      for (const { name, pid } of changed) {
        if (pid !== undefined && name in work.planes) void control.reconcile(name);
      }
    },
  };
  void begin();
  return {
    listeners,
    stop: async reason => {
      control.stop();
      for (const observer of observers) observer.stop();
      for (const each of [...planeEvents, ...watches]) each.stop();
      if (reason === 'asked') events.tell(endedEvent);
      await Promise.all([server.stop(), ...[...ownPlanes.values()].map(plane => plane.stop())]);
      await events.close();
      await history.close();
    },
  };

  async function begin(): Promise<void> {
    try {
      const before = kept.take();
      if (before === undefined) await start();
      else await resume(before);
      for (const each of [...planeEvents, ...watches]) void each.run();
      for (const observer of observers) void observer.run();
      changes.resume();
      if (!crashState.takeOver())
        logger.warn('no memory to keep the snapshot: after a crash the configuration is read anew');
      await server.start();
      channel.send('ready', {});
    } catch (error) {
      const exitStatus = error instanceof SluiceError ? error.exitStatus : 1;
      const message =
        error instanceof SluiceError ? error.message : String(error instanceof Error ? error.stack : error);
      channel.send('refused', { message: message.slice(0, longestRefusal), exitStatus });
    }
  }

  async function start(): Promise<void> {
    events.tell(startedEvent(events.events));
    await changes.start(firstSnapshot, author);
  }

  async function upgrade(build: string, author: string): Promise<number> {
    events.tell(upgradeAskedEvent(author));
    try {
      return await turn.questions.upgrade(build);
    } catch (error) {
      events.tell(upgradeRefusedEvent(serializeError(error).message));
      throw error;
    }
  }

  /** This process has replaced another one: of the build before, or of a next one that did not work. */
  function tellUpgrade(rows: readonly ProcessState[]): void {
    const [supervisor] = rows;
    if (supervisor?.pid === undefined) return;
    isUntold = false;
    events.tell(upgradeEvent({ pid: supervisor.pid, failure: supervisor.lastError?.message }));
  }

  function runningPlanes(): string[] {
    return composition.planes.map(({ policy }) => policy.name).filter(name => control.runs(name));
  }

  /** Control ended, and the planes went on: they know what was observed. */
  async function resume(before: Snapshot<S>): Promise<void> {
    const present = format.present(before);
    await Promise.all(
      observers.filter(({ plane }) => present.includes(plane)).map(observer => observer.catchUp(catchUpMilliseconds)),
    );
    await control.resume(before);
  }

  async function firstSnapshot(): Promise<Snapshot<S>> {
    if (hasFiles) return await read();
    return resumes && history.last !== undefined ? format.from(history.last.document) : format.snapshot({});
  }
}

/** For a plane to say what it has observed, when control begins again. */
const catchUpMilliseconds = 2000;

function notConfigured(plane: string): UnavailableError {
  return new UnavailableError(`the configuration in force has no section ${plane}`, {
    remedy: `add the section ${plane} and run sluice reload`,
  });
}

function clientOf({ path, token }: PlaneSocket = { path: '', token: '' }): ApiClient {
  return new ApiClient(path, { token });
}

function metricsOf(plane: string, client: ApiClient): PlaneMetrics {
  return { plane, ask: signal => client.call(planeMetricsRoute, {}, { signal }) };
}

/** What control needs, from the supervisor and the sockets of planes. */
function hostOf<S extends Sections>(
  composition: Composition<S>,
  { options, work, channel, questions }: Turn,
  kept: KeptSnapshot<S>,
  ownPlanes: ReadonlyMap<string, OwnPlane>,
): ControlHost<S> {
  const planes = new Map<string, Plane>();
  const { config, rules } = options.source;
  const byDefault = config === undefined && rules === undefined ? composition.planes : [];
  return {
    get planes() {
      return [...composition.planes.map(({ policy }) => policy.name), ...ownPlanes.keys()];
    },
    planesByDefault: byDefault.filter(row => row.runsByDefault).map(({ policy }) => policy.name),
    checkReload: composition.checkReload,
    plane: name => {
      const own = ownPlanes.get(name);
      const known =
        planes.get(name) ??
        grantingSecrets(own ?? new RemotePlane(name, clientOf(work.planes[name])), {
          secretsOf: model => composition.format.secrets(name, model),
          grant: file =>
            own === undefined ? questions.ask({ grant: { plane: name, file } }, file) : questions.secret({ file }),
        });
      planes.set(name, known);
      return known;
    },
    run: names => {
      channel.send('planes', { names: names.filter(name => !ownPlanes.has(name)) });
      for (const [name, plane] of ownPlanes) if (!names.includes(name)) void plane.stop();
    },
    override: (section, model) => {
      const given = options.overrides[section];
      // The model itself, where it can be: what is computed of it is known.
      return given === undefined || Object.keys(given).length === 0 ? model : { ...(model as object), ...given };
    },
    keep: (snapshot, note) => kept.keep(snapshot, note),
  };
}

/** The files of a configuration, which only root may be able to read: the supervisor reads them. */
function askedFiles(questions: Questions): SourceFiles {
  return {
    async read(file) {
      const { text = '', identity = file, variables = {} } = await questions.ask({ read: file }, file);
      return { text, identity, variables };
    },
    async matches(pattern) {
      return (await questions.ask({ match: pattern }, pattern)).files ?? [];
    },
    async checkSecret(file) {
      await questions.ask({ check: file }, file);
    },
  };
}
