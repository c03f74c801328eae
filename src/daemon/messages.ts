// SPDX-License-Identifier: Apache-2.0
// What the supervisor and its children say to each other. The supervisor obeys only what stands here: a child can ask
// for text of the files of the command line and for the planes of the table, and for nothing else.
import Type, { type Static } from 'typebox';
import { MessageChannel, type MessagePort } from '../core/messages.ts';

/** How a process of `sluice run` does, as `sluice status` shows it. */
export const processSchema = Type.Object({
  name: Type.String({ description: "The plane's name, or control." }),
  state: Type.Union(
    [Type.Literal('starting'), Type.Literal('running'), Type.Literal('waiting'), Type.Literal('stopped')],
    { description: 'waiting: the process crashed, and is started again after a while.' },
  ),
  pid: Type.Optional(Type.Integer()),
  since: Type.Optional(Type.String({ description: 'When the process that works was told to.' })),
  restarts: Type.Integer(),
  lastError: Type.Optional(Type.Object({ at: Type.String(), message: Type.String() })),
});

export type ProcessState = Static<typeof processSchema>;

export const toChild = {
  /** Begin to work. */
  work: Type.Object({
    /** Whether to carry on what the process before has left. Forget it where processes die of it one after another. */
    crashState: Type.Union([Type.Literal('keep'), Type.Literal('forget')]),
    /** Shared by the processes of one `sluice run`: who knows it may use the sockets of planes. */
    token: Type.String(),
    /** The sockets of the planes, by name. */
    sockets: Type.Record(Type.String(), Type.String()),
  }),
  /** Read the configuration anew. */
  reload: Type.Object({}),
  /** For control: a process has changed its state. */
  processes: Type.Object({ processes: Type.Array(processSchema) }),
  /** For control: a file that it has asked for. */
  file: Type.Object({
    request: Type.Integer(),
    text: Type.Optional(Type.String()),
    error: Type.Optional(Type.Object({ errno: Type.Integer(), syscall: Type.String() })),
  }),
} as const;

export const toSupervisor = {
  /** The process does its work: its end would be unexpected from now on. */
  ready: Type.Object({}),
  /** From control: it cannot begin as it was asked to. At the first start `sluice run` ends with these words. */
  refused: Type.Object({ message: Type.String(), exitStatus: Type.Integer({ minimum: 1, maximum: 2 }) }),
  /** From control: the planes whose processes are to run. */
  planes: Type.Object({ names: Type.Array(Type.String()) }),
  /** From control: the text of a file of the command line. */
  read: Type.Object({ request: Type.Integer(), file: Type.String() }),
} as const;

export type SupervisorEnd = MessageChannel<typeof toChild, typeof toSupervisor>;
export type ChildEnd = MessageChannel<typeof toSupervisor, typeof toChild>;

export function supervisorEnd(child: MessagePort): SupervisorEnd {
  return new MessageChannel(child, toChild, toSupervisor);
}

export function childEnd(port: MessagePort = process): ChildEnd {
  return new MessageChannel(port, toSupervisor, toChild);
}
