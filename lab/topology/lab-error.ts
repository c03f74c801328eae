// SPDX-License-Identifier: Apache-2.0

/** An error for the person at the terminal: its message says what went wrong, and no stack trace is shown. */
export class LabError extends Error {
  readonly code = 'LAB_FAILED';
}
