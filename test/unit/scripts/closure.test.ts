// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { foldersWithThreads, testsWithNetworks } from '../../../scripts/closure.ts';
import { filesUnder } from '../../../tools/files.ts';

/** The folder of native/test that a test is in. */
function folderOf(name: string): string | undefined {
  return filesUnder('native/test', path => path.endsWith(`/${name}.cc`))[0]?.split('/')[2];
}

describe('the native tests that ThreadSanitizer watches', () => {
  it.each([
    ['tap_test', 'its fixture starts a worker'],
    ['rehearsal_test', 'its fixture starts a worker'],
    ['worker_test', 'it includes <thread>'],
    ['decap_agent_test', 'the agent that it links has a thread'],
  ])('have %s among them: %s', name => {
    expect(foldersWithThreads()).toContain(folderOf(name));
  });

  it('are not those of a folder without threads', () => {
    expect(foldersWithThreads()).not.toContain(folderOf('tcp_test'));
  });
});

describe('the tests that make networks', () => {
  it('are those that make networks themselves or import code that does', () => {
    const tests = testsWithNetworks();
    // By a topology of its own, by RunningSluice, and by a script that it starts.
    for (const name of ['decap', 'top', 'demo']) expect(tests).toContain(`test/process/${name}.test.ts`);
    for (const name of ['addon', 'replay']) expect(tests).not.toContain(`test/process/${name}.test.ts`);
  });
});
