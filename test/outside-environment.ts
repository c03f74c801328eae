// SPDX-License-Identifier: Apache-2.0

/**
 * The environment of programs that are not the project's. The suite also runs with AddressSanitizer preloaded, for the
 * addon; some of these programs then wait for ever at their start.
 */
export const outsideEnvironment: NodeJS.ProcessEnv = { ...process.env, LD_PRELOAD: undefined };
