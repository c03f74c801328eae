// SPDX-License-Identifier: Apache-2.0
// Logs one line, as any part of the program does.
import { createLogger } from '../../../src/core/logger.ts';

createLogger().child({ area: 'director' }).warn({ service: '192.0.2.1:80' }, 'no real server is left');
