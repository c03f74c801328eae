// SPDX-License-Identifier: Apache-2.0
// curl as a client of lab/programs/server.ts.
import { isIPv6 } from 'node:net';
import { digestOfContent } from '../programs/content.ts';
import type { Service } from '../programs/service.ts';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import type { Program } from '../topology/program.ts';
import { scaled } from '../topology/time-scale.ts';

/** Whether a new connection is served within a second of a real machine. */
export async function isServed(client: Host, address: string): Promise<boolean> {
  const words = ['--silent', '--fail', '--globoff', '--max-time', String(scaled(1000) / 1000)] as const;
  return (await client.run(['curl', ...words, url(address, '/who')])).status === 0;
}

/** Enough for a gigabyte on a slow machine. */
const transferMilliseconds = 180_000;
/** A request without an answer after this time will not get one. */
const requestSeconds = scaled(15_000) / 1000;
const uploadSeconds = scaled(60_000) / 1000;

function url(address: string, path: string, port = 80): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}${path}`;
}

/** Sends `requests` requests, each over a new connection, and returns which server answered each. */
export async function whoServes(client: Host, address: string, requests: number, port = 80): Promise<Service[]> {
  const options = ['--silent', '--show-error', '--fail', '--globoff', '--max-time', String(requestSeconds)] as const;
  const urls = Array.from({ length: requests }, () => url(address, '/who', port));
  const printed = await client.must(['curl', ...options, '--header', 'Connection: close', ...urls]);
  const lines = printed.trim().split('\n');
  return lines.map(line => JSON.parse(line));
}

/**
 * Begins to fetch `bytes` of content, and reads no more of it than buffers hold until finishDownload(). The program prints
 * the SHA-256 of what arrived.
 */
export function startDownload(client: Host, address: string, bytes: number): Program {
  const fetch = `curl --silent --show-error --fail --globoff '${url(address, `/content?bytes=${bytes}`)}'`;
  // Without pipefail a shell would report success when curl fails and only a part is hashed.
  const script = `set -o pipefail; exec 3<&0; ${fetch} | { read -r go <&3; sha256sum; }`;
  return client.start('download', ['bash', '-c', script], { open: true });
}

/** Fails unless exactly the requested content arrived. */
export async function finishDownload(download: Program, bytes: number): Promise<void> {
  download.write('go\n');
  const timer = setTimeout(() => download.kill('SIGKILL'), scaled(transferMilliseconds));
  const { status, stdout, stderr } = await download.ending;
  clearTimeout(timer);
  if (status !== 0) throw new LabError(`a download of ${bytes} bytes failed: ${stderr.trim() || 'it was cut off'}`);
  const digest = stdout.slice(0, 64);
  if (digest !== digestOfContent(bytes)) throw new LabError(`a download of ${bytes} bytes brought other content`);
}

/** Fetches `bytes` of content and checks it. */
export async function download(client: Host, address: string, bytes: number): Promise<void> {
  await finishDownload(startDownload(client, address, bytes), bytes);
}

/** Sends `file`, which holds `bytes` of the content of lab/programs/content.ts, and checks that it arrived unchanged. */
export async function upload(client: Host, address: string, file: string, bytes: number): Promise<void> {
  const options = ['--silent', '--show-error', '--fail', '--globoff', '--max-time', String(uploadSeconds)] as const;
  const digest = await client.must(['curl', ...options, '--upload-file', file, url(address, '/digest')]);
  if (digest.trim() !== digestOfContent(bytes)) throw new LabError(`an upload of ${bytes} bytes brought other content`);
}
