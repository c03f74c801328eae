// SPDX-License-Identifier: Apache-2.0
// Variables of the environment in a document. The types of values are those of the core schema of YAML 1.2.2, 10.3.2; defaults
// are those of a shell (POSIX, 2.6.2): for a variable that is unset or empty.
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { plainOf } from '../../../../src/core/config/node.ts';
import { Problems } from '../../../../src/core/config/problems.ts';
import { escapeVariables, variablesOf } from '../../../../src/core/config/variables.ts';
import { parseYaml } from '../../../../src/core/config/yaml.ts';
import { documentFormat } from '../../../../src/daemon/document.ts';
import { filesInMemory } from './files-in-memory.ts';

const environment = {
  SLUICE_PORT: '8080',
  SLUICE_NAME: 'web',
  SLUICE_EMPTY: '',
  SLUICE_YES: 'true',
  SLUICE_TRICK: '{ a: [1, 2] }',
  SLUICE_LINES: 'a\nb: 1',
};

function plainValue(text: string): unknown {
  const problems = new Problems();
  const node = parseYaml(text, 'a.yaml', problems, environment);
  problems.throwIfAny();
  return node === undefined ? undefined : plainOf(node);
}

describe('a variable', () => {
  it.each<[string, unknown]>([
    ['a: ${SLUICE_PORT}', 8080],
    ['a: "${SLUICE_PORT}"', '8080'],
    ["a: '${SLUICE_PORT}'", '8080'],
    ['a: ${SLUICE_YES}', true],
    ['a: ${SLUICE_EMPTY}', null],
    ['a: "${SLUICE_EMPTY}"', ''],
    ['a: ${SLUICE_NAME}', 'web'],
    ['a: 10.0.0.1:${SLUICE_PORT}', '10.0.0.1:8080'],
    ['a: ${SLUICE_NAME}-${SLUICE_PORT}', 'web-8080'],
    ['a: ${SLUICE_NONE:-80}', 80],
    ['a: ${SLUICE_EMPTY:-80}', 80],
    ['a: ${SLUICE_PORT:-80}', 8080],
    ['a: "${SLUICE_NONE:-}"', ''],
    ['a: "${SLUICE_NONE:-10.0.0.1:80}"', '10.0.0.1:80'],
    ['a: $${SLUICE_PORT}', '${SLUICE_PORT}'],
    ['a: $$${SLUICE_PORT}', '$${SLUICE_PORT}'],
    ['a: "$${HOME}"', '${HOME}'],
    ['a: $SLUICE_PORT', '$SLUICE_PORT'],
    ['a: 100 $', '100 $'],
    // A value is a value, whatever it looks like.
    ['a: ${SLUICE_TRICK}', '{ a: [1, 2] }'],
    ['a: ${SLUICE_LINES}', 'a\nb: 1'],
    // Neither block scalars nor comments have variables.
    ['a: |\n  ${SLUICE_NONE}\n', '${SLUICE_NONE}\n'],
    ['a: 1 # ${SLUICE_NONE}', 1],
  ])('in %j means %j', (text, value) => {
    expect(plainValue(text)).toEqual({ a: value });
  });

  it('in a key means itself', () => {
    expect(plainValue('"${SLUICE_NAME}": 1')).toEqual({ '${SLUICE_NAME}': 1 });
  });

  it.each<[string, string]>([
    [
      'b:\n  a: ${SLUICE_NONE}',
      'a.yaml:2:6: the environment has no such variable: "SLUICE_NONE" (set SLUICE_NONE where sluice is started, or write ${SLUICE_NONE:-DEFAULT})',
    ],
    [
      'a: "${HOME}"',
      'a.yaml:1:4: a document cannot use this variable: "HOME" (name it SLUICE_HOME, or write $${ where no variable is meant)',
    ],
    ['a: ${toString}', 'a.yaml:1:4: a document cannot use this variable: "toString"'],
    ['a: ${SLUICE_toString}', 'a.yaml:1:4: the environment has no such variable: "SLUICE_toString"'],
    ['a: ${}', 'a.yaml:1:4: this is no variable: "${}"'],
    ['a: "${SLUICE_PORT"', 'a.yaml:1:4: this is no variable: "${SLUICE_PORT"'],
    ['a: ${SLUICE_PORT-80}', 'a.yaml:1:4: this is no variable: "${SLUICE_PORT-80}"'],
    ['a: "${SLUICE_A:-${SLUICE_B}}"', 'a.yaml:1:4: this is no variable: "${SLUICE_A:-${SLUICE_B}"'],
    ['a: { port: ${SLUICE_PORT} }', 'a.yaml:1:12: a variable stands inside of brackets without quotes'],
    ['a: [x, ${SLUICE_PORT}]', 'a.yaml:1:8: a variable stands inside of brackets without quotes'],
  ])('in %j is an error with its place', (text, message) => {
    expect(() => plainValue(text)).toThrow(message);
  });

  it('cannot make a document of any length', () => {
    const text = `a: [${Array(1000).fill('"${SLUICE_LONG}"').join(', ')}]`;
    const problems = new Problems();
    parseYaml(text, 'a.yaml', problems, { SLUICE_LONG: 'x'.repeat(100_000) });
    expect(() => problems.throwIfAny()).toThrow(/the variables make the document too long/);
  });

  it('counts where it is used in the text, and no other variable is taken', () => {
    expect(
      variablesOf('a: ${SLUICE_A:-1} ${SLUICE_B} $SLUICE_C ${HOME}', { SLUICE_A: '1', SLUICE_C: '1', HOME: '/' }),
    ).toEqual({
      SLUICE_A: '1',
    });
  });

  it('is not meant by a text that is written so that it means itself', () => {
    for (const text of ['${A}', '$${A}', '$$${SLUICE_PORT}', '${', '$', '{}', '$${', 'a $${ b ${ c']) {
      expect(plainValue(`a: ${JSON.stringify(escapeVariables(text))}`)).toEqual({ a: text });
    }
  });

  it('in a net.yaml and in a value of a program means itself', () => {
    const problems = new Problems();
    const node = parseYaml('a: "${HOME}"', 'net.yaml', problems);
    expect(node === undefined ? undefined : plainOf(node)).toEqual(parse('a: "${HOME}"'));
    expect(documentFormat.from({ process: { socket: '/run/${HOME}' } }).process.socket).toBe('/run/${HOME}');
  });
});

describe('a document with variables', () => {
  const texts = {
    'sluice.yaml': 'include: ["hosts/${SLUICE_HOST}.yaml"]\n',
    'hosts/a.yaml':
      'director:\n  services:\n    - tcp: ${SLUICE_VIP}:80\n      servers:\n        - server: 10.0.2.1\n          weight: ${SLUICE_WEIGHT:-3}\n',
  };

  it('is the same snapshot as one with the values', async () => {
    const files = filesInMemory(texts, { SLUICE_HOST: 'a', SLUICE_VIP: '10.0.1.1' });
    const snapshot = await documentFormat.load('sluice.yaml', files);
    const services = [{ tcp: '10.0.1.1:80', servers: [{ server: '10.0.2.1', weight: 3 }] }];
    expect(snapshot.id).toBe(documentFormat.from({ director: { services } }).id);
  });

  it('is refused with the place in the included file where a value does not fit', async () => {
    const files = filesInMemory(texts, { SLUICE_HOST: 'a', SLUICE_VIP: '10.0.1.1', SLUICE_WEIGHT: 'heavy' });
    await expect(documentFormat.load('sluice.yaml', files)).rejects.toMatchObject({
      place: { file: 'hosts/a.yaml', line: 6, column: 19 },
    });
  });
});
