// SPDX-License-Identifier: Apache-2.0

/** What went wrong in a lab, in words for the person at the terminal; no stack trace is shown for it. */
export class LabError extends Error {
  readonly code = 'LAB_FAILED';
}
