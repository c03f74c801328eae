// SPDX-License-Identifier: Apache-2.0
// A file that holds a number says whether targets work: 0 passes. Where the file sets the weight, the number is the weight,
// and a negative one fails.
import { constants, open } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { fails, passes, type Verdict } from '../dialog.ts';
import { shown } from '../dialogs/shown.ts';
import type { Check, ProbeOf } from '../model.ts';
import type { StartProbe } from '../probe.ts';
import { type Attempt, startAttempts } from './attempt.ts';
import { errorWords } from './words.ts';

const mostBytes = 64;
/** The highest weight of a real server. */
const highestWeight = 2 ** 31 - 1;

async function readStart(path: string): Promise<Buffer> {
  // Without O_NONBLOCK, a named pipe would hold a thread until somebody writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes + 1), 0, mostBytes + 1, null);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function judge({ path, setsWeight }: ProbeOf<'file'>, content: Buffer): Verdict {
  if (content.length > mostBytes) return fails(`${path} is longer than ${mostBytes} bytes`);
  const text = content.toString('latin1').trim();
  if (!/^[+-]?\d+$/.test(text)) return fails(`${path} holds no number: "${shown(text)}"`);
  const number = Number(text);
  const found = `${path} holds ${number}`;
  if (!setsWeight) return number === 0 ? passes(found) : fails(found);
  if (number > highestWeight) return fails(`${found}, which is above the highest weight, ${highestWeight}`);
  return number < 0 ? fails(found) : { ...passes(found), weight: number };
}

async function begin(attempt: Attempt, { probe }: Check): Promise<void> {
  if (probe.type !== 'file') throw new TypeError(`not a file: ${probe.type}`);
  attempt.timedOut = () => fails(`${probe.path} could not be read`);
  const verdict = await readStart(probe.path).then(
    content => judge(probe, content),
    error => fails(`${probe.path} cannot be read: ${errorWords(error)}`),
  );
  attempt.finish(verdict);
}

export function createFileProbes(clock: Clock): StartProbe {
  return startAttempts(clock, begin);
}
