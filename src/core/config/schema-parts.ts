// SPDX-License-Identifier: Apache-2.0
// Parts that schemas of several sections have.
import Type from 'typebox';

/** The names that people give to things. */
export const namePattern = '^[A-Za-z][A-Za-z0-9_.-]{0,31}$';

/** Of a map whose keys are such names. */
export const named = {
  additionalProperties: false,
  form: 'begin with a letter; use at most 32 letters, digits, _, . and -',
} as const;

export const absolutePath = (description: string, example: string) =>
  Type.String({ pattern: '^/', maxLength: 4095, form: 'an absolute path', description, examples: [example] });
