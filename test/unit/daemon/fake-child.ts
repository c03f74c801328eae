// SPDX-License-Identifier: Apache-2.0
// A child process and its port of messages as its parent sees them, without a process.
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { type MessagePort, messageVersion } from '../../../src/core/messages.ts';
import type { Launched } from '../../../src/daemon/started-process.ts';

export class FakeChild extends EventEmitter implements MessagePort {
  readonly pid: number;
  /** What the parent has sent: kinds and fields. */
  readonly received: { kind: string; fields: Record<string, unknown> }[] = [];
  readonly signals: string[] = [];
  #take: (message: unknown) => void = () => undefined;

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  send(message: unknown): void {
    const { kind, fields } = message as { kind: string; fields: Record<string, unknown> };
    this.received.push({ kind, fields });
  }

  listen(take: (message: unknown) => void): void {
    this.#take = take;
  }

  close(): void {
    this.#take = () => undefined;
  }

  kill(signal: string): boolean {
    this.signals.push(signal);
    return true;
  }

  says(kind: string, fields: object = {}): void {
    this.saysRaw({ version: messageVersion, kind, fields });
  }

  saysRaw(message: unknown): void {
    this.#take(message);
  }

  ends(status: number | null, signal: string | null = null): void {
    this.emit('exit', status, signal);
  }

  get launched(): Launched {
    return { child: this as unknown as ChildProcess, port: this };
  }
}
