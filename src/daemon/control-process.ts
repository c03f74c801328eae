// SPDX-License-Identifier: Apache-2.0
// The process of control: documents, the snapshot in force and the admin socket. It owns no packet and no power of root;
// the supervisor reads the files of the command line for it and starts the planes that it asks for.
import { controlAnswers } from '../control/answers.ts';
import { type Applied, Control, type ControlHost } from '../control/control.ts';
import { RemotePlane } from '../control/remote-plane.ts';
import { ApiClient } from '../core/api/client.ts';
import { ApiServer } from '../core/api/server.ts';
import { systemClock } from '../core/clock.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import { HostError, SluiceError, SystemError, UnavailableError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Plane } from '../core/plane.ts';
import type { Listeners, Part, Turn } from './child.ts';
import type { Composition } from './composition.ts';
import { socketDescriptor } from './descriptors.ts';
import { type ChildEnd, longestRefusal, type ProcessState } from './messages.ts';

export function controlPart<S extends Sections>(composition: Composition<S>): Part {
  return turn => startControl(composition, turn);
}

async function startControl<S extends Sections>(composition: Composition<S>, turn: Turn): ReturnType<Part> {
  const { format } = composition;
  const { deadlineMilliseconds } = turn.options;
  const { work, channel, crashState } = turn;
  const logger = turn.logger.child({ area: 'control' });
  const files = new Files(channel);
  let processes: readonly ProcessState[] = [];
  const host = hostOf(composition, turn, files);
  const control = new Control({
    format,
    host,
    clock: systemClock,
    logger,
    deadlineMilliseconds,
  });
  const server = new ApiServer({
    name: 'admin socket',
    answers: [
      ...controlAnswers({
        control,
        reload: () => reload(control, logger, 'a request'),
        processes: () => processes,
        warnings: turn.options.warnings,
      }),
      ...composition.answers,
    ],
    forward: Object.fromEntries(
      Object.entries(work.planes).map(([name, socket]) => [
        `/${name}/`,
        { ...socket, unavailable: () => (control.runs(name) ? undefined : notConfigured(name)) },
      ]),
    ),
    listen: { fd: socketDescriptor },
    logger,
  });
  const listeners: Listeners = {
    file: fields => files.arrived(fields),
    // The log has the reason.
    reload: () => void reload(control, logger, 'SIGHUP').catch(() => undefined),
    processes: fields => {
      const changed = fields.processes.filter(({ name, pid }) => pid !== processes.find(one => one.name === name)?.pid);
      processes = fields.processes;
      for (const { name, pid } of changed) {
        if (pid !== undefined && name in work.planes) void control.reconcile(name);
      }
    },
  };
  void begin();
  return {
    listeners,
    stop: async () => {
      control.stop();
      await server.stop();
    },
  };

  async function begin(): Promise<void> {
    try {
      const kept = keptSnapshot(format, crashState.configuration(), logger);
      if (kept === undefined) await control.reload();
      else {
        host.keep(kept);
        await control.resume(kept);
      }
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
}

function notConfigured(plane: string): UnavailableError {
  return new UnavailableError(`the configuration in force has no section ${plane}`, {
    remedy: `add the section ${plane} and run sluice reload`,
  });
}

async function reload<S extends Sections>(control: Control<S>, logger: Logger, by: string): Promise<Applied> {
  try {
    const applied = await control.reload();
    logger.info({ snapshot: applied.id, changes: applied.changes, by }, 'configuration applied');
    return applied;
  } catch (err) {
    logger.error({ err, by }, 'the configuration was not applied: everything goes on as before');
    throw err;
  }
}

function keptSnapshot<S extends Sections>(
  format: DocumentFormat<S>,
  text: string | undefined,
  logger: Logger,
): Snapshot<S> | undefined {
  if (text === undefined) return undefined;
  try {
    return format.from(JSON.parse(text));
  } catch (err) {
    logger.warn({ err }, 'the snapshot in force cannot be read any more: reading the configuration anew');
    return undefined;
  }
}

/** What control needs, from the supervisor and the sockets of planes. */
function hostOf<S extends Sections>(
  composition: Composition<S>,
  { options, work, channel, crashState }: Turn,
  files: Files,
): ControlHost<S> {
  const { format } = composition;
  const planes = new Map<string, Plane>();
  return {
    planes: composition.planes.map(({ policy }) => policy.name),
    read: () => composition.read(options.source, file => files.text(file)),
    checkReload: composition.checkReload,
    plane: name => {
      const { path = '', token = '' } = work.planes[name] ?? {};
      const known = planes.get(name) ?? new RemotePlane(name, new ApiClient(path, { token }));
      planes.set(name, known);
      return known;
    },
    run: names => channel.send('planes', { names: [...names] }),
    override: (section, model) => ({ ...(model as object), ...options.overrides[section] }),
    keep: snapshot => {
      if (crashState.keepConfiguration(JSON.stringify(format.write(snapshot)))) return;
      throw new HostError('no memory to keep the snapshot in force', { remedy: 'free memory and try again' });
    },
  };
}

/** Files of the command line, which only root may be able to read: the supervisor reads them. */
class Files {
  readonly #channel: ChildEnd;
  readonly #waiting = new Map<
    number,
    { file: string; resolve: (text: string) => void; reject: (error: unknown) => void }
  >();
  #requests = 0;

  constructor(channel: ChildEnd) {
    this.#channel = channel;
  }

  text(file: string): Promise<string> {
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { file, resolve, reject });
      this.#channel.send('read', { request, file });
    });
  }

  arrived({
    request,
    text,
    error,
  }: {
    request: number;
    text?: string;
    error?: { errno: number; syscall: string };
  }): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (text !== undefined) waiting?.resolve(text);
    else if (error !== undefined) {
      waiting?.reject(new SystemError('cannot read the file', { ...error, place: { file: waiting.file } }));
    }
  }
}
