// SPDX-License-Identifier: Apache-2.0
// `sluice import`: a sluice.yaml from the configuration of keepalived or from ipvsadm's rules. docs/importing.md.
import { lookup } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { SystemError, UsageError } from '../core/errors.ts';
import { importIpvsadm } from '../import/ipvsadm.ts';
import { hostFiles } from '../import/keepalived/files.ts';
import { type Imported, importKeepalived } from '../import/keepalived/import.ts';
import { entryText, type Report } from '../import/report.ts';
import { documentText } from '../import/write.ts';
import { type Command, type ParsedOptions, parseOptions, print, readText } from './command.ts';

const usage = `Usage: sluice import keepalived FILE [--id ID] [OPTION…]
       sluice import ipvsadm FILE [OPTION…]

Writes a sluice.yaml that does what FILE says: the virtual servers of a keepalived.conf with their checks, or the services
of ipvsadm's commands, one a line, as ipvsadm -S writes them. Comments in it name the lines that its parts came from.

Standard error has a line for all else in FILE, of one of three kinds:
  not carried over    Sluice cannot do it; what to do instead
  ignored             keepalived, or the kernel, does nothing with it either
  made explicit       what FILE leaves to keepalived's defaults, or says in another way

  --output FILE   write the sluice.yaml to FILE in place of standard output; a file that exists is kept
  --force         replace the file
  --strict        write nothing when something is not carried over
  --id ID         keepalived: lines that begin with @ID count, as with keepalived -i. Default: the host's name up to its
                  first dot
  --json          print one JSON document instead of text: the lines of the report, and without --output the sluice.yaml

Exit status: 0 done, 1 something is not carried over, or FILE cannot be read, 2 misuse.
`;

const options = {
  output: { type: 'string' },
  force: { type: 'boolean' },
  strict: { type: 'boolean' },
  id: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const kinds = ['keepalived', 'ipvsadm'] as const;
type Kind = (typeof kinds)[number];

function wordsOf({ positionals, values }: ParsedOptions): { kind: Kind; file: string } {
  const [word, file, unexpected] = positionals;
  const kind = kinds.find(one => one === word);
  if (kind === undefined) {
    throw new UsageError('the command lacks the kind of the file', {
      value: word,
      remedy: `write ${kinds.join(' or ')}`,
    });
  }
  if (file === undefined) throw new UsageError('the command lacks a file', { remedy: '--help shows the usage' });
  if (unexpected !== undefined) {
    throw new UsageError('unexpected word', { value: unexpected, remedy: '--help shows the usage' });
  }
  if (kind === 'ipvsadm' && values.has('id')) {
    throw new UsageError('--id is for keepalived', { remedy: 'remove it: rules of ipvsadm have no conditions' });
  }
  return { kind, file };
}

async function imported(kind: Kind, file: string, id: string | undefined): Promise<Imported> {
  // Its errors name the file in the words of all commands.
  const text = readText(file);
  if (kind === 'ipvsadm') return importIpvsadm(text, file, { lookUp });
  return importKeepalived(file, {
    files: hostFiles,
    id: id ?? hostname().split('.')[0] ?? '',
    environment: process.env,
  });
}

async function lookUp(host: string): Promise<string | undefined> {
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch {
    return undefined;
  }
}

function introductionOf(kind: Kind, file: string): string[] {
  return [
    `Made by sluice import ${kind} from ${file}. Comments name the lines that parts came from.`,
    'director.ports has to be added: the source does not say which devices the director uses.',
  ];
}

function writeDocument(file: string, text: string, replaces: boolean): void {
  try {
    writeFileSync(file, text, { flag: replaces ? 'w' : 'wx' });
  } catch (error) {
    throw SystemError.from(error, 'cannot write the file', { place: { file }, remedy: '--force replaces a file' });
  }
}

function summaryOf(report: Report, isWritten: boolean): string {
  const entries = report.entries();
  const count = (kind: string) => entries.filter(entry => entry.kind === kind).length;
  const counts = `${count('lost')} not carried over, ${count('ignored')} ignored, ${count('explicit')} made explicit`;
  return isWritten ? counts : `${counts}; nothing is written (--strict)`;
}

export const importCommand: Command = {
  usage,
  async run(args) {
    const parsed = parseOptions(args, options, { takesWords: true });
    const { kind, file } = wordsOf(parsed);
    const { flags, values } = parsed;
    const { document, report } = await imported(kind, file, values.get('id')?.[0]);
    const text = documentText(document, introductionOf(kind, file));
    const output = values.get('output')?.[0];
    const isWritten = !(flags.has('strict') && report.hasLost);
    if (isWritten && output !== undefined) writeDocument(output, text, flags.has('force'));
    const isPrinted = isWritten && output === undefined;
    const entries = report.entries();
    if (flags.has('json')) {
      print(
        `${JSON.stringify({ ...(isPrinted ? { document: text } : {}), entries, carried: report.carriedLines() })}\n`,
      );
    } else {
      if (isPrinted) print(text);
      process.stderr.write(entries.map(entry => `${entryText(entry)}\n`).join(''));
      process.stderr.write(`${summaryOf(report, isWritten)}\n`);
    }
    return report.hasLost ? 1 : 0;
  },
};
