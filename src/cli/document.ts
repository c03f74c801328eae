// SPDX-License-Identifier: Apache-2.0
// Shared by the commands that read a sluice.yaml themselves, as the person who asks.
import { documentFormat, type Snapshot } from '../daemon/document.ts';
import { LocalFiles } from '../daemon/document-files.ts';
import { readSnapshot } from '../daemon/source.ts';

/** The snapshot of the document that a word names; - is standard input. It must say something. */
export async function snapshotOf(word: string): Promise<Snapshot> {
  const source = { config: fileOf(word) };
  return await readSnapshot(source, filesOf(source.config));
}

/** The same where an empty document means something, too. */
export async function documentOf(file: string): Promise<Snapshot> {
  return await documentFormat.load(file, filesOf(file));
}

function filesOf(config: string): LocalFiles {
  return new LocalFiles({ source: { config }, takesPipes: true });
}

function fileOf(word: string): string {
  return word === '-' ? '/dev/stdin' : word;
}
