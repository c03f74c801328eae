// SPDX-License-Identifier: Apache-2.0
// A case is a folder: net.yaml, rules or sluice.yaml, captures in-ORDER-PORT.*, and in expected/ every file that the
// replay writes and everything that it prints. `npm test -- --update` renews captures and expected files.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { writeDemoCaptures } from '../../../scripts/demo-captures.ts';
import { runSluice } from '../../process/run-sluice.ts';
import { captures, writeCapture } from './captures.ts';

const update = process.env.UPDATE_GOLDEN === '1';
const cases = fileURLToPath(new URL('.', import.meta.url));
const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

const scratch = mkdtempSync(join(tmpdir(), 'sluice-golden-'));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Outcome {
  /** By name: captures, verdicts, and what was printed. */
  readonly files: Readonly<Record<string, Buffer>>;
}

function argumentsOf(folder: string): string[] {
  const configuration = existsSync(join(folder, 'rules')) ? ['--rules', 'rules'] : ['--config', 'sluice.yaml'];
  const inputs = readdirSync(folder)
    .filter(file => file.startsWith('in-'))
    .sort()
    .flatMap(file => ['--in', `${/^in-\d+-(\w+)\./.exec(file)?.[1]}=${file}`]);
  return ['--net', 'net.yaml', ...configuration, ...inputs];
}

async function outcomeOf(folder: string, args: readonly string[], environment = {}): Promise<Outcome> {
  const out = mkdtempSync(join(scratch, 'out-'));
  const options = { folder, environment };
  const words = ['replay', ...args, '--out', out, '--connections'];
  const explained = await runSluice([...words, '--explain'], options);
  expect(explained).toMatchObject({ status: 0, signal: null });
  const files = Object.fromEntries(readdirSync(out).map(file => [file, readFileSync(join(out, file))]));
  const machine = await runSluice([...words, '--explain', '--json'], options);
  return {
    files: {
      ...files,
      'explained.txt': Buffer.from(explained.stdout),
      'summary.txt': Buffer.from(explained.stderr),
      'report.json': Buffer.from(machine.stdout),
    },
  };
}

function compare(outcome: Outcome, expected: string, renew = update): void {
  if (renew) {
    rmSync(expected, { recursive: true, force: true });
    mkdirSync(expected);
    for (const [file, content] of Object.entries(outcome.files)) writeFileSync(join(expected, file), content);
  }
  expect(Object.keys(outcome.files).sort()).toEqual(readdirSync(expected).sort());
  for (const [file, content] of Object.entries(outcome.files)) {
    const wanted = readFileSync(join(expected, file));
    // Text files are compared as text, since a failure then shows the difference.
    if (file.endsWith('.pcap')) expect(content.equals(wanted), `${file} is as expected`).toBe(true);
    else expect(content.toString()).toBe(wanted.toString());
  }
}

const demo = ['--net', 'net.yaml', '--config', 'sluice.yaml', '--in', 'c0=client.pcapng', '--in', 's0=servers.pcap'];

describe.each(Object.keys(captures))('the case %s', name => {
  const folder = join(cases, name);

  it('has the captures that its code makes', () => {
    for (const capture of captures[name] ?? []) {
      const path = join(folder, capture.file);
      const made = join(scratch, `${name}-${capture.file}`);
      writeCapture(capture, update ? path : made);
      if (!update) expect(readFileSync(path).equals(readFileSync(made))).toBe(true);
    }
  });

  it('is replayed as expected', async () => {
    compare(await outcomeOf(folder, argumentsOf(folder)), join(folder, 'expected'));
  });
});

describe('the demo', () => {
  const folder = join(examples, 'demo');

  it('has the captures that its script makes', () => {
    const made = update ? folder : mkdtempSync(join(scratch, 'demo-'));
    writeDemoCaptures(made);
    for (const file of ['client.pcapng', 'servers.pcap']) {
      expect(readFileSync(join(folder, file)).equals(readFileSync(join(made, file)))).toBe(true);
    }
  });

  it('is replayed as expected', async () => {
    mkdirSync(join(cases, 'demo'), { recursive: true });
    compare(await outcomeOf(folder, demo), join(cases, 'demo/expected'));
  });

  it('is replayed to the same bytes in another time zone, language and environment', async () => {
    const elsewhere = { TZ: 'Pacific/Kiritimati', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', FORCE_COLOR: '1' };
    compare(await outcomeOf(folder, demo, elsewhere), join(cases, 'demo/expected'), false);
  });
});
