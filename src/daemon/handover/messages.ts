// SPDX-License-Identifier: Apache-2.0
// What the supervisor that runs and the next one, of the build on disk, say to each other during an upgrade:
//
//   one that runs                          next
//   starts it ─────── handover ─────────▶  reads the snapshot in force, starts a process for each row that works
//             ◀────── prepared / refused ─
//   kills its processes
//             ─────── takeOver ──────────▶ its processes go on, as after a crash
//             ◀────── works ─────────────
//   ends
//
// The messages are read by builds of different versions: a field that is added is optional.
import type { Duplex } from 'node:stream';
import Type, { type Static } from 'typebox';
import { FramedPort } from '../../core/message-frames.ts';
import { MessageChannel } from '../../core/messages.ts';

/** The next supervisor's end of the channel. What is handed over follows. */
export const handoverDescriptor = 3;

/** The name of the variable that makes `sluice run` the next supervisor; its value is the descriptor. */
export const handoverVariable = 'SLUICE_HANDOVER';

const descriptor = Type.Integer({ minimum: handoverDescriptor + 1 });

/** A row of the table: what the supervisor holds for its processes. */
const rowSchema = Type.Object({
  name: Type.String(),
  socket: descriptor,
  crashState: Type.Tuple([descriptor, descriptor]),
  /** null: it could not be opened. */
  openedFiles: Type.Array(Type.Union([descriptor, Type.Null()])),
  /** A process of this row works. */
  works: Type.Boolean(),
});

const handoverSchema = Type.Object({
  /** Of the memory in which the director keeps flows (native/engine/layout_tag.h). */
  flowLayout: Type.String(),
  rows: Type.Array(rowSchema),
  folders: Type.Object({ history: Type.Optional(descriptor), crashes: Type.Optional(descriptor) }),
  /** Where the sockets of the rows are. */
  runtimeFolder: Type.String(),
  stateFolder: Type.String(),
});

export type Handover = Static<typeof handoverSchema>;

export const toNext = {
  handover: handoverSchema,
  /** The processes of the supervisor that runs have ended. `reload`: a SIGHUP waits to be carried out. */
  takeOver: Type.Object({ reload: Type.Boolean() }),
} as const;

export const toPrevious = {
  /** A process stands by for each row that works. */
  prepared: Type.Object({}),
  refused: Type.Object({ message: Type.String() }),
  /** All that worked before works again. */
  works: Type.Object({}),
} as const;

const mostBytes = 64 << 10;

export function previousEnd(stream: Duplex): MessageChannel<typeof toNext, typeof toPrevious> {
  return new MessageChannel(new FramedPort(stream, { received: mostBytes, sent: mostBytes }), toNext, toPrevious);
}

export function nextEnd(stream: Duplex): MessageChannel<typeof toPrevious, typeof toNext> {
  return new MessageChannel(new FramedPort(stream, { received: mostBytes, sent: mostBytes }), toPrevious, toNext);
}
