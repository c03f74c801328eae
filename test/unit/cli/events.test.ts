// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { eventsCommand } from '../../../src/cli/events.ts';
import { messageVersion, versionHeader } from '../../../src/core/api/route.ts';
import { systemClock } from '../../../src/core/clock.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-events-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it('--follow goes on when control crashes after a long time without an event', async () => {
  const path = join(folder, 'socket');
  const streams: ServerResponse[] = [];
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    request.socket.on('end', () => response.end());
    response.writeHead(200, { [versionHeader]: messageVersion });
    response.write(
      `${JSON.stringify({ number: asked.length, at: 'now', severity: 'info', kind: 'a', text: 'told' })}\n`,
    );
    streams.push(response);
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(part => {
    text += String(part);
    return true;
  });
  const lines = (count: number) => vi.waitFor(() => expect(text.split('\n')).toHaveLength(count + 1), 10_000);
  const following = eventsCommand.run(['--follow', '--json', '--socket', path]);
  await lines(1);
  vi.spyOn(systemClock, 'now').mockImplementation(() => Date.now() + 60_000);
  streams[0]?.destroy();
  await lines(2);
  process.listeners('SIGTERM').at(-1)?.('SIGTERM');
  expect(await following).toBe(0);
  expect(asked).toEqual(['/events/follow?most=50', '/events/follow?after=1']);
  await new Promise(resolve => server.close(resolve));
});
