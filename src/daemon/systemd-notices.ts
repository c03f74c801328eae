// SPDX-License-Identifier: Apache-2.0
// What the service manager that started `sluice run` is told (sd_notify(3)): that it is ready, that it stops, and signs of
// life for its watchdog. Without a service manager nothing is told.
import type { Clock, Timer } from '../core/clock.ts';

export interface SystemdNoticesOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them. */
  readonly environment: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly clock: Clock;
  readonly tell: (socket: string, state: string) => boolean;
}

export class SystemdNotices {
  readonly #options: SystemdNoticesOptions;
  #timer: Timer | undefined;
  #isReady = false;

  constructor(options: SystemdNoticesOptions) {
    this.#options = options;
  }

  /** The first packet can pass. Told once. */
  ready(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#tell(`READY=1\nSTATUS=forwards\nMAINPID=${this.#options.pid}`);
    this.#sendSignsOfLife();
  }

  /** Another process is the main process of the service from now on, and this one ends. */
  handedOverTo(pid: number): void {
    this.#timer?.cancel();
    this.#tell(`MAINPID=${pid}`);
  }

  stopping(): void {
    this.#timer?.cancel();
    this.#tell('STOPPING=1\nSTATUS=ends');
  }

  /** Twice within the time after which systemd takes the process for hung. */
  #sendSignsOfLife(): void {
    const { environment, pid, clock } = this.#options;
    const { WATCHDOG_USEC, WATCHDOG_PID } = environment;
    const milliseconds = Number(WATCHDOG_USEC ?? 0) / 1000;
    if (!(milliseconds > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid)) return;
    const send = (): void => {
      this.#tell('WATCHDOG=1');
      this.#timer = clock.after(milliseconds / 2, send);
    };
    send();
  }

  #tell(state: string): void {
    const { environment, tell } = this.#options;
    const { NOTIFY_SOCKET } = environment;
    if (NOTIFY_SOCKET !== undefined && NOTIFY_SOCKET !== '') tell(NOTIFY_SOCKET, state);
  }
}
