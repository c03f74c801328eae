// SPDX-License-Identifier: Apache-2.0
// A child process as its parent sees it, without a process.
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { messageVersion } from '../../../src/core/messages.ts';

export class FakeChild extends EventEmitter {
  connected = true;
  readonly pid: number;
  /** What the parent has sent: kinds and fields. */
  readonly received: { kind: string; fields: Record<string, unknown> }[] = [];
  readonly signals: string[] = [];

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  send(message: { kind: string; fields: Record<string, unknown> }, callback: (error: Error | null) => void): boolean {
    this.received.push({ kind: message.kind, fields: message.fields });
    callback(null);
    return true;
  }

  kill(signal: string): boolean {
    this.signals.push(signal);
    return true;
  }

  says(kind: string, fields: object = {}): void {
    this.emit('message', { version: messageVersion, kind, fields });
  }

  ends(status: number | null, signal: string | null = null): void {
    this.connected = false;
    this.emit('exit', status, signal);
  }

  get asProcess(): ChildProcess {
    return this as unknown as ChildProcess;
  }
}
