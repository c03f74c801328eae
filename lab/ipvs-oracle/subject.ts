// SPDX-License-Identifier: Apache-2.0
// What a director must offer to be compared with the kernel.
//
// The host's own stack is no part of it: what the kernel answers to a packet that the director leaves to the host is not
// compared. What ingress takes from the host is never left to it: the director answers, or is silent.

import type { PortName, RouteTable, Scenario, ShowView } from './scenario.ts';

export interface SubjectFrame {
  readonly port: PortName;
  readonly frame: Uint8Array;
}

export interface SubjectReceived {
  readonly frames: readonly SubjectFrame[];
  readonly isHosts: boolean; // the host's own stack has the packet
}

export interface Subject {
  // An ipvsadm command line, the program's name included. False where ipvsadm would end with an error.
  command(line: string, timeNs: bigint): boolean;
  sysctl(name: string, value: string, timeNs: bigint): void;
  receive(port: PortName, frame: Uint8Array, timeNs: bigint): SubjectReceived;
  // Lets time pass: expiries, reassembly timeouts. Times never run backwards.
  advance(timeNs: bigint): readonly SubjectFrame[];
  // The lines that ipvsadm prints for a view.
  show(view: ShowView, timeNs: bigint): string;
}

export type MakeSubject = (routeTable: RouteTable) => Subject;

export interface SubjectOutcome {
  transmitted: SubjectFrame[];
  output: string[];
  failed: boolean;
  isHosts: boolean; // a packet of the step was left to the host's own stack
}

// Plays a scenario to a subject: one outcome a step.
export function playSubject(make: MakeSubject, scenario: Scenario): SubjectOutcome[] {
  const subject = make(scenario.routeTable);
  const outcomes: SubjectOutcome[] = [];
  for (const step of scenario.steps) {
    const outcome: SubjectOutcome = { transmitted: [], output: [], failed: false, isHosts: false };
    const { action, timeNs } = step;
    // What the passing of time brings belongs to the step before, except that a wait is itself the passing of time.
    const waited = action.kind === 'wait' ? outcome : (outcomes.at(-1) ?? outcome);
    waited.transmitted.push(...subject.advance(timeNs));
    outcomes.push(outcome);
    switch (action.kind) {
      case 'frames':
        for (const frame of action.frames) {
          const { frames, isHosts } = subject.receive(action.port, frame, timeNs);
          outcome.transmitted.push(...frames);
          outcome.isHosts ||= isHosts;
        }
        break;
      case 'command':
        outcome.failed = !subject.command(action.command, timeNs);
        break;
      case 'sysctl':
        subject.sysctl(action.name, action.value, timeNs);
        break;
      case 'show':
        outcome.output = subject
          .show(action.view, timeNs)
          .split('\n')
          .map(line => line.trimEnd());
        if (outcome.output.at(-1) === '') outcome.output.pop();
        break;
    }
  }
  return outcomes;
}
