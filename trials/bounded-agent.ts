// Bounded agent — a declared agent that stands for the program of all agents of its topology, with
// bounds so small that a trial reaches them.

import type { AgentDeclaration } from "../agents/agent.js";
import { agentDefinition } from "../agents/declare/definition.js";
import { agentProgram, type ProgramBounds } from "../agents/execution.js";

/**
 * The same agent, to be listed first: a task takes the program of its topology's first agent.
 * `bounds` is asked whenever a task starts.
 */
export function bounded<Input, Result>(
  declared: AgentDeclaration<Input, Result>,
  bounds: () => Partial<ProgramBounds>,
): AgentDeclaration<Input, Result> {
  const entry: AgentDeclaration<Input, Result> = {
    kind: declared.kind,
    program: (port, entries) => agentProgram(bounds())(port, entries),
    problems: (path, names) => declared.problems(path, names),
    shape: (names) => declared.shape(names),
    draw: (chart) => declared.draw(chart),
    references: (names) => declared.references(names),
    toMermaid: () => declared.toMermaid(),
  };
  // It is known once the topology is declared.
  const get = (): unknown => Reflect.get(declared, agentDefinition);
  return Object.freeze(Object.defineProperty(entry, agentDefinition, { get }));
}
