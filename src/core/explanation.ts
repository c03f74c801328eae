// SPDX-License-Identifier: Apache-2.0
// Why something is as it is. Whoever decides explains: a section explains what its configuration and what was observed
// lead to (`Section.explain`), a plane explains what it does (`Plane.explain`). Each gives findings about one subject, and
// none knows what the others find. The findings together make the verdict.
import Type, { type Static } from 'typebox';
import type { Immutable } from './immutable.ts';

/** What is explained: a group of `CheckedGroup`, such as a virtual service, or one of its targets. */
export const subjectSchema = {
  group: Type.String({ description: 'Such as a virtual service: tcp 10.0.1.100:80' }),
  target: Type.Optional(Type.String({ description: 'One of its real servers: 10.0.2.11:8080' })),
  client: Type.Optional(Type.String({ description: 'The address of a client for whom it is explained' })),
};

const subjectObject = Type.Object(subjectSchema);
export type Subject = Immutable<Static<typeof subjectObject>>;

export const findingSchema = Type.Object({
  topic: Type.String({ description: 'What it is about: weight, health, neighbour' }),
  effect: Type.Enum(['none', 'hinders', 'blocks'], {
    description: 'What it means for new connections. blocks: none get through. hinders: not all do, or not as wanted',
  }),
  text: Type.String({ description: 'In words' }),
  because: Type.Optional(Type.String({ description: 'The topic of the finding that is the reason of this one' })),
  since: Type.Optional(Type.String({ description: 'Since when it is so' })),
  details: Type.Array(Type.String(), { description: 'The evidence' }),
  remedy: Type.Optional(Type.String({ description: 'What to do' })),
});

export type Finding = Immutable<Static<typeof findingSchema>>;

export const verdictSchema = Type.Object({
  connections: Type.Enum(['all', 'hindered', 'none'], { description: 'Which new connections get through' }),
  reasons: Type.Array(Type.String(), { description: 'Why not all of them' }),
});

export type Verdict = Immutable<Static<typeof verdictSchema>>;

/** What the findings mean together. A reason names its own reason in brackets. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const worst = (['blocks', 'hinders'] as const).find(effect => findings.some(finding => finding.effect === effect));
  if (worst === undefined) return { connections: 'all', reasons: [] };
  const reasons = findings.filter(({ effect }) => effect === worst).map(finding => reasonText(finding, findings));
  return { connections: worst === 'blocks' ? 'none' : 'hindered', reasons };
}

function reasonText(finding: Finding, findings: readonly Finding[]): string {
  const reasons = findings.filter(({ topic }) => topic === finding.because).map(sinceText);
  return reasons.length === 0 ? sinceText(finding) : `${finding.text} (${reasons.join('; ')})`;
}

export function sinceText({ text, since }: Pick<Finding, 'text' | 'since'>): string {
  return since === undefined ? text : `${text}, since ${since}`;
}

/** Something that is wrong, as the status lists it. */
export const problemSchema = Type.Object({
  about: Type.String({ description: 'A process, a service, a real server' }),
  text: Type.String({ description: 'What is wrong, in words' }),
  since: Type.Optional(Type.String({ description: 'Since when' })),
  remedy: Type.Optional(Type.String({ description: 'What to do' })),
});

export type Problem = Immutable<Static<typeof problemSchema>>;
