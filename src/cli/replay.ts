// SPDX-License-Identifier: Apache-2.0
// `sluice replay`: passes the frames of captures through the director. docs/replay.md describes its files.
import { type SluiceError, UsageError } from '../core/errors.ts';
import { formatConnections } from '../director/ipvsadm/listing.ts';
import { readRules } from '../director/ipvsadm/rules.ts';
import { type DirectorModel, emptyDirectorModel } from '../director/model.ts';
import { parseRouteTable, type RouteTable } from '../director/route-table.ts';
import { type Command, type ExitStatus, parseOptions, print, readText } from './command.ts';
import { documentOf } from './document.ts';
import { JsonReport } from './replay/json-report.ts';
import { Progress } from './replay/progress.ts';
import { type ReplayInput, replay } from './replay/session.ts';
import { explanationText, summaryText } from './replay/text.ts';

const usage = `Usage: sluice replay --net NET.yaml (--rules FILE | --config SLUICE.yaml) --in PORT=FILE… --out DIR
                     [--connections] [--explain] [--json]

Passes the frames of captures through the director. It needs no privileges and no network. The clock follows the frames'
time stamps.

  --net FILE        a net.yaml: the director's ports, neighbours and routes
  --rules FILE      services and servers as ipvsadm commands, one a line, as \`ipvsadm -S -n\` prints them
  --config FILE     services, servers and all other settings of the director, as a sluice.yaml
  --in PORT=FILE    frames that arrive on a port: pcap or pcapng with Ethernet frames. Several captures are merged by
                    their time stamps, equal stamps in the order of the options
  --out DIR         the folder to write: DIR/PORT.pcap has the frames sent on each port, DIR/verdicts.jsonl a line for
                    each received frame. Files of an earlier replay are overwritten
  --connections     print the table of connections at the end, as \`ipvsadm -Lnc\` does
  --explain         print the steps of the decision about each packet
  --json            print one JSON document instead of text: the summary, with --connections and --explain theirs, too

The summary is printed to standard error. Exit status: 0 done, 1 failed, 2 misuse. If a capture cannot be read to its
end, its first frames are replayed and the exit status is 1.
`;

const options = {
  net: { type: 'string' },
  rules: { type: 'string' },
  config: { type: 'string' },
  in: { type: 'string', multiple: true },
  out: { type: 'string' },
  connections: { type: 'boolean' },
  explain: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

interface Request {
  readonly net: string;
  readonly rules: string | undefined;
  readonly config: string | undefined;
  /** PORT=FILE */
  readonly inputs: readonly string[];
  readonly out: string;
  readonly connections: boolean;
  readonly explain: boolean;
  readonly json: boolean;
}

function parseRequest(args: readonly string[]): Request {
  const { flags, values, positionals } = parseOptions(args, options, { takesWords: true });
  const needed = (name: string, form: string) => {
    const value = values.get(name)?.[0];
    if (value === undefined) throw new UsageError(`--${name} is missing`, { remedy: `give --${name} ${form}` });
    return value;
  };
  const net = needed('net', 'NET.yaml');
  const [rules, config] = [values.get('rules')?.[0], values.get('config')?.[0]];
  if (rules === undefined && config === undefined) {
    throw new UsageError('no services are given', { remedy: 'give --rules FILE or --config SLUICE.yaml' });
  }
  if (rules !== undefined && config !== undefined) {
    throw new UsageError('--rules and --config exclude each other', { remedy: 'give one of them' });
  }
  // Also accepts `--in c0=a.pcap s0=b.pcap`, without a second --in.
  const inputs = [needed('in', 'PORT=FILE'), ...(values.get('in') ?? []).slice(1), ...positionals];
  const out = needed('out', 'DIR');
  const flag = (name: string) => flags.has(name);
  const [connections, explain, json] = [flag('connections'), flag('explain'), flag('json')];
  return { net, rules, config, inputs, out, connections, explain, json };
}

function readInputs(words: readonly string[], routeTable: RouteTable): ReplayInput[] {
  const ports = routeTable.ports.map(port => port.name);
  return words.map(word => {
    const [port = '', file = ''] = splitOnce(word, '=');
    if (port === '' || file === '') {
      throw new UsageError('an input is not of the form PORT=FILE', { value: word, remedy: 'such as c0=client.pcap' });
    }
    if (!ports.includes(port)) {
      throw new UsageError('the net has no such port', { value: port, remedy: `use one of ${ports.join(', ')}` });
    }
    return { port, file };
  });
}

function splitOnce(word: string, separator: string): [string, string] | [] {
  const at = word.indexOf(separator);
  return at < 0 ? [] : [word.slice(0, at), word.slice(at + 1)];
}

async function readModel({ rules, config }: Request): Promise<DirectorModel> {
  if (rules !== undefined) return readRules(await readText(rules), { file: rules });
  return config === undefined ? emptyDirectorModel : (await documentOf(config)).director;
}

async function run(args: readonly string[]): Promise<ExitStatus> {
  const request = parseRequest(args);
  const routeTable = parseRouteTable(await readText(request.net), request.net);
  const inputs = readInputs(request.inputs, routeTable);
  const model = await readModel(request);
  const report = request.json ? new JsonReport(print) : undefined;
  const progress = new Progress();
  const { summary, connections, failures } = await replay({
    routeTable,
    model,
    inputs,
    folder: request.out,
    explain: request.explain ? one => (report ? report.packet(one) : print(explanationText(one))) : undefined,
    progress: frames => progress.show(frames),
  });
  progress.clear();
  if (report !== undefined) report.finish(summary, request.connections ? connections : undefined, failures);
  else {
    if (request.connections) print(formatConnections(connections));
    process.stderr.write(summaryText(summary));
  }
  return reportFailures(failures);
}

function reportFailures(failures: readonly SluiceError[]): ExitStatus {
  for (const failure of failures) console.error(`sluice: ${failure.message}`);
  return failures.length > 0 ? 1 : 0;
}

export const replayCommand: Command = {
  usage,
  run,
};
