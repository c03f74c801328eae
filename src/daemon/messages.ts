// SPDX-License-Identifier: Apache-2.0
// What the supervisor and its children say to each other. The supervisor obeys only what stands here: a child can ask
// for the planes of the table, for text of the files of a configuration and for secrets (supervisor-answers.ts), and for
// nothing else.
import type { Duplex } from 'node:stream';
import Type, { type Static } from 'typebox';
import { FramedPort } from '../core/message-frames.ts';
import { MessageChannel, type MessagePort } from '../core/messages.ts';
import { longestFile } from '../core/text-file.ts';

/** How a process of `sluice run` does, as `sluice status` shows it. */
export const processSchema = Type.Object({
  name: Type.String({ description: "supervisor, control, or the plane's name." }),
  state: Type.Union(
    [Type.Literal('starting'), Type.Literal('running'), Type.Literal('waiting'), Type.Literal('stopped')],
    { description: 'waiting: the process ended, and is started again after a while.' },
  ),
  user: Type.String({ description: 'Whom it runs as.' }),
  pid: Type.Optional(Type.Integer()),
  build: Type.Optional(Type.String({ description: 'Of the supervisor: what its program is.' })),
  refusedBuild: Type.Optional(Type.String({ description: 'Of the supervisor: the build that did not take over.' })),
  standsBy: Type.Optional(Type.Integer({ description: 'The process that works when the other one ends.' })),
  since: Type.Optional(Type.String({ description: 'When the process that works was told to.' })),
  restarts: Type.Integer(),
  lastError: Type.Optional(Type.Object({ at: Type.String(), message: Type.String() })),
});

export type ProcessState = Static<typeof processSchema>;

/** Where a plane answers, and what it wants to be told before it does. */
const planeSocketSchema = Type.Object({ path: Type.String(), token: Type.String() });

export type PlaneSocket = Static<typeof planeSocketSchema>;

/** What `serializeError` makes of an error. */
const serializedErrorSchema = Type.Object({
  name: Type.String(),
  code: Type.String(),
  message: Type.String(),
  problem: Type.String(),
});

/** Longer than any path of the system. */
const path = Type.String({ maxLength: 4096 });

/** What a process asks, one of these. */
const questionSchema = Type.Union([
  /** From control: the text of a file of the configuration. */
  Type.Object({ read: path }),
  /** From control: the files that a pattern of an include stands for. */
  Type.Object({ match: path }),
  /** From control: whether a file can be used as a secret. */
  Type.Object({ check: path }),
  /** From control: the same, and that a plane is to have this secret. */
  Type.Object({ grant: Type.Object({ plane: Type.String(), file: path }) }),
  /** From a plane: the content of a secret. */
  Type.Object({ secret: path }),
  /** From control: start the next supervisor, of the files on disk, and hand over to it. */
  Type.Object({ upgrade: Type.Object({ build: Type.String({ maxLength: 64 }) }) }),
]);

export type Question = Static<typeof questionSchema>;

const answerSchema = Type.Object({
  text: Type.Optional(Type.String()),
  /** Of the file that was read: equal for the same file under other names. */
  identity: Type.Optional(Type.String()),
  /** Of the environment: those that the text uses. */
  variables: Type.Optional(Type.Record(Type.String(), Type.String())),
  files: Type.Optional(Type.Array(Type.String())),
  /** In base64. */
  secret: Type.Optional(Type.String()),
  /** The number of the next supervisor. */
  next: Type.Optional(Type.Integer()),
});

export type Answer = Static<typeof answerSchema>;

export const toChild = {
  /** Begin to work. */
  work: Type.Object({
    /** Whether to carry on what the process before has left. Forget it where processes die of it one after another. */
    crashState: Type.Union([Type.Literal('keep'), Type.Literal('forget')]),
    /** The process before was ended for this one, in an upgrade. */
    replaces: Type.Boolean(),
    /** Of this plane alone: who knows it may use the plane's socket. */
    token: Type.Optional(Type.String()),
    /** For control: the planes, by name. No plane learns of another one's token. */
    planes: Type.Record(Type.String(), planeSocketSchema),
  }),
  /** For control: read the configuration anew, and say that it was heard (`reloading`). */
  reload: Type.Object({}),
  /** For control: a process has changed its state. */
  processes: Type.Object({ processes: Type.Array(processSchema) }),
  /** To a question of the same number. */
  answer: Type.Object({
    request: Type.Integer(),
    answer: Type.Optional(answerSchema),
    error: Type.Optional(serializedErrorSchema),
  }),
} as const;

/** What `sluice run` says at its end: the beginning of the message, where the message is longer. */
export const longestRefusal = 8000;

export const toSupervisor = {
  /** The event loop turns: said every second. `isInspected`: a debugger may hold it. */
  alive: Type.Object({ isInspected: Type.Boolean() }),
  /** The process that stands by could work at once. */
  prepared: Type.Object({}),
  /** The process does its work: its end would be unexpected from now on. */
  ready: Type.Object({}),
  /** From control: it cannot begin as it was asked to. At the first start `sluice run` ends with these words. */
  refused: Type.Object({
    message: Type.String({ maxLength: longestRefusal }),
    exitStatus: Type.Integer({ minimum: 1, maximum: 2 }),
  }),
  /** From control: it reads the configuration anew. */
  reloading: Type.Object({}),
  /** From control: the planes whose processes are to run. */
  planes: Type.Object({ names: Type.Array(Type.String()) }),
  ask: Type.Object({ request: Type.Integer(), question: questionSchema }),
} as const;

export type SupervisorEnd = MessageChannel<typeof toChild, typeof toSupervisor>;
export type ChildEnd = MessageChannel<typeof toSupervisor, typeof toChild>;

/** The limit of the kernel for a program's arguments and environment. */
const longestEnvironment = 6 << 20;
/** A character takes six bytes of JSON at most; the rest is for the frame of the message. */
const toChildBytes = 6 * (longestFile + longestEnvironment) + 4096;
/** More than the longest of the messages above. */
const toSupervisorBytes = 64 << 10;

/** The supervisor's end of the bytes. */
export function supervisorPort(stream: Duplex): FramedPort {
  return new FramedPort(stream, { received: toSupervisorBytes, sent: toChildBytes });
}

export function childPort(stream: Duplex): FramedPort {
  return new FramedPort(stream, { received: toChildBytes, sent: toSupervisorBytes });
}

export function supervisorEnd(port: MessagePort): SupervisorEnd {
  return new MessageChannel(port, toChild, toSupervisor);
}

export function childEnd(port: MessagePort): ChildEnd {
  return new MessageChannel(port, toSupervisor, toChild);
}
