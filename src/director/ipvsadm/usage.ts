// SPDX-License-Identifier: Apache-2.0
// What ipvsadm prints for -h. The text is a string of C++, as the native client prints it without a running Sluice.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../core/package-root.ts';

const file = join(packageRoot, 'native/client/ipvsadm_usage.inc');
const [before, after] = ['R"(', ')"\n'];

export function usageText(): string {
  return readFileSync(file, 'utf8').slice(before.length, -after.length);
}

/** The first line of the usage, which -v prints too. */
export function versionLine(): string {
  const text = usageText();
  return text.slice(0, text.indexOf('\n') + 1);
}
