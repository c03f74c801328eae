// SPDX-License-Identifier: Apache-2.0
// Loads the addon and reports an error as a command does.
import { SluiceError } from '../../../src/core/errors.ts';
import { loadAddon } from '../../../src/native/addon.ts';

try {
  console.log(loadAddon().napiVersion);
} catch (error) {
  if (!(error instanceof SluiceError)) throw error;
  console.log(JSON.stringify(error));
  process.exitCode = error.exitStatus;
}
