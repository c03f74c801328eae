// SPDX-License-Identifier: Apache-2.0
// `sluice capture`: what the running process does with packets, as a pcapng with a comment on each frame.
import { CaptureWriter } from '../capture/capture-writer.ts';
import type { AnswerOf, ParametersOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import { directorCapture } from '../director/api.ts';
import { clientOf, commonOptions, socketUsage } from './asking.ts';
import { type Command, type ExitStatus, type ParsedOptions, parseOptions, print } from './command.ts';
import { partiesText } from './replay/text.ts';

const usage = `Usage: sluice capture -w FILE [FILTER…] [OPTION…]

Writes packets that the running process takes, and the frames that it sends for them, to a pcapng. Interfaces are named
after the devices; a comment on each frame says what was decided, or for which frame it was sent (Wireshark shows it, and
tshark -T fields -e frame.comment). Ends at Ctrl-C, with a complete file.

  -w, --write FILE      the capture
  --count N             end after N packets
  --seconds S           end after so long

Filters, of which all must hold:
  --host ADDRESS        of the packet that came, or of one that was sent for it
  --port N              the same, a port of TCP, UDP or SCTP
  --protocol NAME       the same: tcp, udp, sctp, icmp or icmpv6
  --verdict NAME        forward, drop, pass or consume
  --reason NAME         such as no-real-server; \`sluice top\` shows which there are
  --service NAME        such as 'tcp 10.0.1.100:80'
  --device NAME         on which it came

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

const elsewhere = { 'port-number': 'use --port' };

type CaptureLine = AnswerOf<typeof directorCapture>;
type Frame = Extract<CaptureLine, { bytes: string }>;

interface Summary {
  readonly file: string;
  readonly packets: number;
  readonly frames: number;
  /** Packets that found no room on their way here. */
  readonly missed: number;
}

function positive({ values }: ParsedOptions, name: string): number {
  const text = values.get(name)?.[0];
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const number = Number(text);
  if (number > 0) return number;
  throw new UsageError(`--${name} is not a number above zero`, { value: text });
}

/** What a filter may be is for the director to say; a number is made of the words here. */
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

/** The file, from its first frame to its end. */
class Recording {
  packets = 0;
  frames = 0;
  missed = 0;
  readonly #writer: CaptureWriter;
  /** Packets of which all frames are written. */
  whole = 0;
  /** By worker: the number of the frame that came last, and how many are still to be sent for it. */
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
    if (cause === undefined) throw new RangeError('a frame was sent for none that came');
    cause.left -= 1;
    if (cause.left === 0) this.whole += 1;
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
  const parsed = parseOptions(args, options, { elsewhere });
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
        // Not before the process has agreed: a file that is there stays as it is otherwise.
        recording = new Recording(file);
        process.stderr.write(`capturing into ${file}: Ctrl-C ends\n`);
      }
      recording.take(line);
      if (recording.whole >= count) break;
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
  const lost = missed === 0 ? '' : `; ${missed} packets more found no room and are missing: use a narrower filter`;
  return `${packets} packets in ${frames} frames${lost}`;
}

export const captureCommand: Command = {
  usage,
  run,
};
