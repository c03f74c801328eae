// SPDX-License-Identifier: Apache-2.0
// The interface of a director that is compared with the kernel.
//
// The host's own stack is not compared: what the kernel answers to a packet that the director leaves to the host does not
// count. Packets that ingress takes from the host are never left to it: the director answers them or is silent.

import type { PortName, Scenario, ScenarioTopology, ShowView } from './scenario.ts';

export interface SubjectFrame {
  readonly port: PortName;
  readonly frame: Uint8Array;
}

export interface SubjectReceived {
  readonly frames: readonly SubjectFrame[];
  readonly isHosts: boolean; // the packet was left to the host's own stack
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

export type MakeSubject = (topology: ScenarioTopology) => Subject;

export interface SubjectOutcome {
  transmitted: SubjectFrame[];
  output: string[];
  failed: boolean;
  isHosts: boolean; // a packet of the step was left to the host's own stack
}

// Plays a scenario to a subject. Returns one outcome for each step.
export function playSubject(make: MakeSubject, scenario: Scenario): SubjectOutcome[] {
  const subject = make(scenario.topology);
  const outcomes: SubjectOutcome[] = [];
  for (const step of scenario.steps) {
    const outcome: SubjectOutcome = { transmitted: [], output: [], failed: false, isHosts: false };
    const { action, timeNs } = step;
    // Frames that are sent while time passes belong to the step before. During a wait they belong to the wait.
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
