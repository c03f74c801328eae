// SPDX-License-Identifier: Apache-2.0
// Captures that nobody closes.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { openCapture } from '../../../src/capture/capture-reader.ts';
import { CaptureWriter } from '../../../src/capture/capture-writer.ts';
import { addonPath } from '../../../src/native/addon.ts';
import { oddPcapngs, oddPcaps, udpFrame } from './odd-captures.ts';
import { temporaryDirectory } from './temporary-directory.ts';

// Above the deadline of collectUntil, so that it is the one that tells.
vi.setConfig({ testTimeout: 30_000 });

const temporary = temporaryDirectory();

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const openFiles = () => readdirSync('/proc/self/fd').length;

/** Collects until the condition holds; finalizers run between turns of the event loop. */
async function collectUntil(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) expect.fail('the condition does not hold after ten seconds of collecting');
    collectGarbage();
    await nextTurn();
  }
}

describe('a capture that is forgotten', () => {
  it('gives its file back when it is collected, in the middle of an iteration too', async () => {
    const path = temporary('forgotten.pcap', oddPcaps['little-microseconds']);
    const before = openFiles();
    (() => {
      for (let index = 0; index < 50; index++) openCapture(path)[Symbol.iterator]().next();
    })();
    expect(openFiles()).toBeGreaterThan(before);
    await collectUntil(() => openFiles() <= before);
  });

  it('keeps its packets when only they are held', async () => {
    const path = temporary('held.pcapng', oddPcapngs['time-offset']);
    const before = openFiles();
    const packet = (() => openCapture(path).readBatch()?.at(0))();
    await collectUntil(() => openFiles() <= before);
    expect(packet?.bytes).toEqual(udpFrame(1));
  });

  it('of a writer leaves a whole file when it is collected', async () => {
    const path = temporary('unclosed.pcap');
    const before = openFiles();
    (() => new CaptureWriter(path, { format: 'pcap' }).write({ time: 1n, bytes: udpFrame(1) }))();
    await collectUntil(() => openFiles() <= before);
    expect([...openCapture(path)]).toHaveLength(1);
  });
});

// Plain JavaScript on the native module: a program of its own, without a loader.
const writeAndForget = (path: string) => `
  const { createRequire } = require('node:module');
  const addon = createRequire('/')(${JSON.stringify(addonPath())});
  const writer = new addon.CaptureWriter();
  writer.openPcap(${JSON.stringify(path)}, 1, true);
  writer.writePcap(1n, 60, new Uint8Array(60));
`;

describe('a writer that is open', () => {
  it('leaves a whole file when the process comes to its end', () => {
    const path = temporary('exit.pcap');
    execFileSync(process.execPath, ['-e', writeAndForget(path)]);
    expect([...openCapture(path)]).toHaveLength(1);
  });

  it('leaves a whole file when its worker is terminated', async () => {
    const path = temporary('worker.pcap');
    const code = `${writeAndForget(path)}
      require('node:worker_threads').parentPort.postMessage('written');
      setInterval(() => writer.flush, 1000);`;
    const worker = new Worker(code, { eval: true, execArgv: [] });
    await new Promise(resolve => worker.once('message', resolve));
    await worker.terminate();
    expect(readFileSync(path)).toHaveLength(24 + 16 + 60);
  });
});
