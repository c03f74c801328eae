// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/core/logger.ts';
import { stopOnSignals } from '../../../src/core/signals.ts';

function listening() {
  const source = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const stop = vi.fn();
  const unlisten = stopOnSignals({ logger: createLogger({ level: 'silent' }), stop, source });
  return { source, stop, unlisten };
}

describe('a service that is asked to end', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('stops at the first %s and ends at the second with status %i', (signal, status) => {
    const { source, stop } = listening();
    source.emit(signal, signal);
    expect(stop).toHaveBeenCalledOnce();
    expect(source.exit).not.toHaveBeenCalled();
    source.emit(signal, signal);
    expect(stop).toHaveBeenCalledOnce();
    expect(source.exit).toHaveBeenCalledExactlyOnceWith(status);
  });

  it('does not listen any more once it was told so', () => {
    const { source, unlisten } = listening();
    unlisten();
    expect(source.eventNames()).toEqual([]);
  });
});
