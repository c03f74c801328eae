// SPDX-License-Identifier: Apache-2.0

/** Why a probe could not be made. The message is the detail of its result. */
export class Failure extends Error {}
