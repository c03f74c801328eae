// SPDX-License-Identifier: Apache-2.0
import { CaptureError, type SluiceError, SystemError, UsageError } from '../core/errors.ts';
import type { CaptureFailure } from '../native/captures.ts';

/** The error for a failure that the native module reports about a file. */
export function captureFailureError(path: string, action: 'read' | 'write', failure: CaptureFailure): SluiceError {
  const { fault, offset, errno, syscall } = failure;
  const place = { file: path };
  const remedy = failure.remedy === '' ? undefined : failure.remedy;
  switch (fault) {
    case 'system':
      return new SystemError(failure.problem === '' ? `cannot ${action} the capture` : failure.problem, {
        place,
        errno,
        syscall,
      });
    case 'misuse':
      return new UsageError(failure.problem, { place, remedy });
    case 'truncated':
      return new CaptureError('SLUICE_CAPTURE_TRUNCATED', failure.problem, { place, remedy, offset });
    case 'corrupt':
    case 'unsupported':
      return new CaptureError('SLUICE_CAPTURE_FORMAT', failure.problem, { place, remedy, offset });
  }
}

/** Refuses a path with a zero byte: the system calls would take the part before the zero byte for the path. */
export function checkPath(path: string): void {
  if (path === '' || path.includes('\0')) {
    throw new UsageError('not a path of a capture', { value: path, remedy: 'use one without zero bytes, not empty' });
  }
}
