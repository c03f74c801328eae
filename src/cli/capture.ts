// SPDX-License-Identifier: Apache-2.0
// `sluice capture`: writes packets of the running director to a pcapng, with the decision as a comment on each frame.
import { CaptureWriter } from '../capture/capture-writer.ts';
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import { directorCapture } from '../director/api.ts';
import { type Command, type ExitStatus, type ParsedOptions, parseOptions, print } from './command.ts';
import { clientOf, commonOptions, socketUsage } from './question.ts';
import { partiesText } from './replay/text.ts';

const usage = `Usage: sluice capture -w FILE [FILTER…] [OPTION…]

Writes packets that the running director receives, and the frames that it sends for them, to a pcapng. Interfaces are
named after the devices. A comment on each frame says what was decided, or for which frame it was sent; Wireshark shows
comments, and so does tshark -T fields -e frame.comment. Ctrl-C ends the capture; the file is then complete.

  -w, --write FILE      the file to write
  --count N             end after N packets
  --seconds S           end after S seconds

A packet is written if it matches all filters. The first three match a received packet or one that was sent for it:
  --host ADDRESS        source or destination address
  --port N              source or destination port of TCP, UDP or SCTP
  --protocol NAME       tcp, udp, sctp, icmp or icmpv6
  --verdict NAME        forward, drop, pass, consume or deliver
  --reason NAME         such as no-real-server; \`sluice top\` lists the reasons
  --service NAME        such as 'tcp 10.0.1.100:80'
  --device NAME         the device that received the packet

${socketUsage}
  --json          print the summary at the end as one JSON document
`;

const filterNames = ['host', 'port', 'protocol', 'verdict', 'reason', 'service', 'device'] as const;

const options = {
  ...commonOptions,
  write: { type: 'string', short: 'w' },
  count: { type: 'string' },
  seconds: { type: 'string' },
  ...Object.fromEntries(filterNames.map(name => [name, { type: 'string' }] as const)),
} as const;

const remedies = { 'port-number': 'use --port' };

type CaptureLine = AnswerOf<typeof directorCapture>;
type Frame = Extract<CaptureLine, { bytes: string }>;

interface Summary {
  readonly file: string;
  readonly packets: number;
  readonly frames: number;
  /** Packets that are not in the file, because a buffer was full. */
  readonly missed: number;
}

function positive({ values }: ParsedOptions, name: string): number {
  const text = values.get(name)?.[0];
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const number = Number(text);
  if (number > 0) return number;
  throw new UsageError(`--${name} is not a number above zero`, { value: text });
}

/** The director checks the values of the filters. Only the port is parsed here, to a number. */
function filterOf({ values }: ParsedOptions): ParametersOf<typeof directorCapture> {
  const given = filterNames.flatMap(name => {
    const [value] = values.get(name) ?? [];
    return value === undefined ? [] : [[name, name === 'port' ? portOf(value) : value] as const];
  });
  return Object.fromEntries(given);
}

function portOf(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new UsageError('not a port number', {
    value: text,
    remedy: 'use a number from 0 to 65535; a network device is named by --device',
  });
}

/** Writes the capture file. */
class Recording {
  packets = 0;
  frames = 0;
  missed = 0;
  readonly #writer: CaptureWriter;
  /** Packets of which all frames are written. */
  complete = 0;
  /** By worker: the number of the latest received frame, and how many of its frames are still to come. */
  readonly #causes = new Map<number, { readonly frame: number; left: number }>();

  constructor(file: string) {
    this.#writer = new CaptureWriter(file, { format: 'pcapng' });
  }

  take(line: CaptureLine): void {
    if ('devices' in line) {
      for (const device of line.devices) this.#writer.addInterface(device);
    } else if ('missed' in line) {
      this.missed = line.missed;
    } else {
      this.#write(line);
    }
  }

  #write(frame: Frame): void {
    this.frames += 1;
    if (!frame.hasLeft) {
      this.packets += 1;
      this.#causes.set(frame.worker, { frame: this.frames, left: frame.left + 1 });
    }
    const cause = this.#causes.get(frame.worker);
    if (cause === undefined) throw new RangeError('a sent frame belongs to no received frame');
    cause.left -= 1;
    if (cause.left === 0) this.complete += 1;
    this.#writer.write({
      time: BigInt(frame.time),
      bytes: Buffer.from(frame.bytes, 'base64'),
      interfaceIndex: frame.device,
      comment: frame.hasLeft ? `sent for frame ${cause.frame}` : decisionText(frame),
    });
  }

  close(): void {
    this.#writer.close();
  }
}

/** "forward, scheduled: tcp 10.0.1.100:80, real server 10.0.2.11:8080, nat" */
function decisionText(frame: Frame): string {
  const parties = partiesText(frame);
  return `${frame.verdict}, ${frame.reason}${parties === '' ? '' : `: ${parties}`}`;
}

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options, { remedies });
  const file = parsed.values.get('write')?.[0];
  if (file === undefined) throw new UsageError('no file is given', { remedy: 'give -w FILE.pcapng' });
  const [count, seconds] = [positive(parsed, 'count'), positive(parsed, 'seconds')];
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = Number.isFinite(seconds) ? setTimeout(end, seconds * 1000) : undefined;
  process.on('SIGINT', end).on('SIGTERM', end);
  let recording: Recording | undefined;
  try {
    const lines = clientOf(parsed).stream(directorCapture, filterOf(parsed), { signal: ending.signal });
    for await (const line of lines) {
      if (recording === undefined) {
        // The file is made after the director has accepted the capture. Otherwise an existing file is left unchanged.
        recording = new Recording(file);
        process.stderr.write(`capturing into ${file}: Ctrl-C ends\n`);
      }
      recording.take(line);
      if (recording.complete >= count) break;
    }
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', end).off('SIGTERM', end);
    recording?.close();
  }
  const { packets = 0, frames = 0, missed = 0 } = recording ?? {};
  const summary: Summary = { file, packets, frames, missed };
  if (parsed.flags.has('json')) print(`${JSON.stringify(summary)}\n`);
  else process.stderr.write(`${summaryText(summary)}\n`);
  return 0;
}

function summaryText({ packets, frames, missed }: Summary): string {
  const lost =
    missed === 0 ? '' : `; ${missed} more packets are missing, because a buffer was full: use a narrower filter`;
  return `${packets} packets in ${frames} frames${lost}`;
}

export const captureCommand: Command = {
  usage,
  run,
};
