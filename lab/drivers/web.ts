// SPDX-License-Identifier: Apache-2.0
// curl as a client of lab/programs/server.ts.
import { isIPv6 } from 'node:net';
import { digestOfContent } from '../programs/content.ts';
import type { Service } from '../programs/service.ts';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import { patient } from '../topology/patience.ts';
import type { Program } from '../topology/program.ts';

/** Whether a new connection is served; no longer than a second is waited for it. */
export async function isServed(client: Host, address: string): Promise<boolean> {
  const words = ['--silent', '--fail', '--globoff', '--max-time', '1'] as const;
  return (await client.run(['curl', ...words, url(address, '/who')])).status === 0;
}

/** A gigabyte over a slow machine. */
const transferMilliseconds = 180_000;
/** A request that has not been answered by then has lost its packets for good. */
const requestSeconds = 15;

function url(address: string, path: string, port = 80): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}${path}`;
}

/** Asks so often, each time over a new connection, and says who served. */
export async function whoServes(client: Host, address: string, requests: number, port = 80): Promise<Service[]> {
  const options = ['--silent', '--show-error', '--fail', '--globoff', '--max-time', String(requestSeconds)] as const;
  const urls = Array.from({ length: requests }, () => url(address, '/who', port));
  const printed = await client.must(['curl', ...options, '--header', 'Connection: close', ...urls]);
  const lines = printed.trim().split('\n');
  return lines.map(line => JSON.parse(line));
}

/**
 * Begins to fetch so much content, and reads no more of it than buffers hold until finishDownload(). Printed is the
 * SHA-256 of what came.
 */
export function startDownload(client: Host, address: string, bytes: number): Program {
  const fetch = `curl --silent --show-error --fail --globoff '${url(address, `/content?bytes=${bytes}`)}'`;
  // Without pipefail a shell would take the hash of half a file for a success.
  const script = `set -o pipefail; exec 3<&0; ${fetch} | { read -r go <&3; sha256sum; }`;
  return client.start('download', ['bash', '-c', script], { open: true });
}

/** Fails unless exactly the content came that was asked for. */
export async function finishDownload(download: Program, bytes: number): Promise<void> {
  download.write('go\n');
  const timer = setTimeout(() => download.kill('SIGKILL'), patient(transferMilliseconds));
  const { status, stdout, stderr } = await download.ending;
  clearTimeout(timer);
  if (status !== 0) throw new LabError(`a download of ${bytes} bytes failed: ${stderr.trim() || 'it was cut off'}`);
  const digest = stdout.slice(0, 64);
  if (digest !== digestOfContent(bytes)) throw new LabError(`a download of ${bytes} bytes brought other content`);
}

/** Fetches so much content and checks it. */
export async function download(client: Host, address: string, bytes: number): Promise<void> {
  await finishDownload(startDownload(client, address, bytes), bytes);
}

/** Sends a file's content, which is so much of lab/programs/content.ts, and checks that it arrived. */
export async function upload(client: Host, address: string, file: string, bytes: number): Promise<void> {
  const options = ['--silent', '--show-error', '--fail', '--globoff', '--max-time', '60'] as const;
  const digest = await client.must(['curl', ...options, '--upload-file', file, url(address, '/digest')]);
  if (digest.trim() !== digestOfContent(bytes)) throw new LabError(`an upload of ${bytes} bytes brought other content`);
}
