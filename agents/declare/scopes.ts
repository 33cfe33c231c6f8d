// Scopes — which scope each node of a graph is in, and where a graph breaks the rules of scopes.
//
// A walk from the entry enters a scope at a scatter and leaves it at a gather. The graph is sound
// when every walk that leads to a node is then within the same scopes, and every scope has one
// gather, which ends no other.
// Owns: that analysis. Leaves to others: names, options and targets that do not exist
// (definition-problems.ts, which asks only about nodes that are declared).
//
// Invariants:
//   U1. A graph without problems has, for every node that its entry leads to, one list of scatters
//       around it, whatever way leads there.
//   U2. Problems are found all at once: an edge that breaks a rule does not hide the next.

import type { TopologyProblem } from "../../runtime/task-program.js";
import type { NodeKind } from "./node.js";

/** A node as far as its edges can be read. Targets are nodes of the graph. */
export interface GraphNode {
  readonly name: string;
  readonly kind: NodeKind;
  readonly targets: readonly string[];
}

/** One rule that is broken. */
export interface ScopeProblem extends Pick<TopologyProblem, "code" | "message" | "valid"> {
  readonly node: string;
  /** Whether one of the node's targets breaks it, or its being where it is. */
  readonly isEdge: boolean;
}

/** A problem while more of the graph is still to be walked. */
interface FoundProblem extends Omit<ScopeProblem, "valid"> {
  readonly valid: () => readonly string[];
}

/** The scopes of a graph. */
export interface Scopes {
  /** The scatters around each node that the entry leads to, outermost first. */
  readonly around: ReadonlyMap<string, readonly string[]>;
  /** The gather of each scatter that has one. */
  readonly gatherOf: ReadonlyMap<string, string>;
  readonly problems: readonly ScopeProblem[];
}

/** A shortest path from the entry to each node that it leads to, both included. */
export function pathsFrom(
  entry: string,
  nodes: ReadonlyMap<string, GraphNode>,
): ReadonlyMap<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>();
  if (nodes.has(entry)) paths.set(entry, [entry]);
  // A map is walked in the order of insertion, what is added on the way included: breadth first.
  for (const [name, path] of paths) {
    for (const target of nodes.get(name)?.targets ?? []) {
      if (nodes.has(target) && !paths.has(target)) paths.set(target, [...path, target]);
    }
  }
  return paths;
}

/** The scopes of a graph; `entry` need not be a node of it. */
export function scopesOf(nodes: ReadonlyMap<string, GraphNode>, entry: string): Scopes {
  return new ScopeWalk(nodes, entry).walk();
}

class ScopeWalk {
  readonly #nodes: ReadonlyMap<string, GraphNode>;
  readonly #entry: string;
  readonly #paths: ReadonlyMap<string, readonly string[]>;
  readonly #around = new Map<string, readonly string[]>();
  readonly #gatherOf = new Map<string, string>();
  readonly #scatterOf = new Map<string, string>();
  readonly #problems: FoundProblem[] = [];

  constructor(nodes: ReadonlyMap<string, GraphNode>, entry: string) {
    this.#nodes = nodes;
    this.#entry = entry;
    this.#paths = pathsFrom(entry, nodes);
  }

  walk(): Scopes {
    const entry = this.#nodes.get(this.#entry);
    if (entry !== undefined) {
      this.#around.set(entry.name, []);
      if (entry.kind === "gather") {
        this.#outside(
          entry.name,
          false,
          `the entry "${entry.name}" is a gather, outside of any scope`,
        );
      }
    }
    // In the order of insertion, what is added on the way included: each edge is looked at once.
    for (const [name, around] of this.#around) {
      const node = this.#nodes.get(name);
      if (node === undefined) continue;
      const within = node.kind === "scatter" ? [...around, name] : around;
      for (const target of node.targets) this.#edge(name, target, within);
    }
    for (const node of this.#nodes.values()) this.#ends(node);
    const problems = this.#problems.map((problem) => ({ ...problem, valid: problem.valid() }));
    return { around: this.#around, gatherOf: this.#gatherOf, problems };
  }

  /** An emit of `from`, which happens within the scopes `within`. */
  #edge(from: string, to: string, within: readonly string[]): void {
    const target = this.#nodes.get(to);
    if (target === undefined) return;
    const behind = target.kind === "gather" ? this.#gathered(from, to, within) : within;
    if (behind === undefined) return;
    const around = this.#around.get(to);
    if (around === undefined) this.#around.set(to, behind);
    else if (!isEqual(around, behind)) this.#crosses(from, to, behind, around);
  }

  /** The scopes around a gather that is emitted to within `within`; none when it may not be. */
  #gathered(from: string, to: string, within: readonly string[]): readonly string[] | undefined {
    const scatter = within.at(-1);
    if (scatter === undefined) {
      const way = this.#wayTo(from, to);
      this.#outside(
        from,
        true,
        `node "${from}" emits to gather "${to}" outside of any scope${way}`,
      );
      return this.#unlessKnown(to, []);
    }
    const gather = this.#gatherOf.get(scatter) ?? to;
    const ended = this.#scatterOf.get(to) ?? scatter;
    this.#gatherOf.set(scatter, gather);
    if (gather !== to) {
      const way = this.#wayTo(from, to);
      const message = `the scope of scatter "${scatter}" has two gathers, "${gather}" and "${to}"`;
      this.#edgeProblem("GATHERS_MANY", from, `${message}${way}`, () => [gather]);
    } else if (ended !== scatter) {
      const message =
        `node "${from}" in the scope of scatter "${scatter}" emits to gather "${to}", which ends ` +
        `the scope of scatter "${ended}"${this.#wayTo(from, to)}`;
      this.#edgeProblem("SCOPE_LEFT", from, message, () => ["a gather of its own"]);
    }
    if (!this.#scatterOf.has(to)) this.#scatterOf.set(to, ended);
    return gather === to && ended === scatter
      ? within.slice(0, -1)
      : this.#unlessKnown(to, within.slice(0, -1));
  }

  /** Behind an edge that is a problem already: what the rest of the walk is to go by. */
  #unlessKnown(to: string, behind: readonly string[]): readonly string[] | undefined {
    return this.#around.has(to) ? undefined : behind;
  }

  /** An edge between two nodes that are not within the same scopes. */
  #crosses(from: string, to: string, behind: readonly string[], around: readonly string[]): void {
    const shared = behind.filter((scatter, index) => around[index] === scatter).length;
    const left = behind[shared];
    const entered = around[shared];
    const way = this.#wayTo(from, to);
    if (left === undefined) {
      const message =
        `node "${from}" emits to "${to}", which is in the scope of scatter "${entered}", from ` +
        `outside of it${way}`;
      this.#edgeProblem("SCOPE_ENTERED", from, message, () => [String(entered)]);
    } else if (left === to) {
      const message =
        `node "${from}" emits to scatter "${to}" from within its own scope${way}: ` +
        "only its gather may";
      this.#edgeProblem("SCOPE_REENTERED", from, message, () => this.#inside(behind));
    } else {
      const message =
        `node "${from}" is in the scope of scatter "${left}" and emits to "${to}" outside of ` +
        `it${way}: only its gather may`;
      this.#edgeProblem("SCOPE_LEFT", from, message, () => this.#inside(behind));
    }
  }

  /** Whether a scatter has its gather, and a gather that no walk leads to could have a scatter. */
  #ends({ name, kind }: GraphNode): void {
    if (kind === "scatter") {
      const isReached = this.#around.has(name);
      if (isReached ? this.#gatherOf.has(name) : this.#leadsTo(name, "gather")) return;
      const gathers = this.#named("gather");
      const valid = gathers.length > 0 ? gathers : ["gather({ collect })"];
      const message = `no gather ends the scope of scatter "${name}"`;
      const problem = { code: "SCATTER_UNGATHERED", node: name, isEdge: false, message };
      this.#problems.push({ ...problem, valid: () => valid });
    } else if (kind === "gather" && !this.#around.has(name)) {
      if (this.#named("scatter").some((scatter) => this.#reaches(scatter, name))) return;
      this.#outside(name, false, `no scatter leads to gather "${name}"`);
    }
  }

  #leadsTo(name: string, kind: NodeKind): boolean {
    return this.#named(kind).some((other) => this.#reaches(name, other));
  }

  #reaches(from: string, to: string): boolean {
    return pathsFrom(from, this.#nodes).has(to);
  }

  #outside(node: string, isEdge: boolean, message: string): void {
    const scatters = this.#named("scatter");
    const valid = scatters.length > 0 ? scatters : ["scatter({ input, to })"];
    this.#problems.push({ code: "GATHER_OUTSIDE", node, isEdge, message, valid: () => valid });
  }

  /** Where a node within these scopes may emit to, as far as they are known by now. */
  #inside(within: readonly string[]): readonly string[] {
    const gather = this.#gatherOf.get(within.at(-1) ?? "");
    const nodes = [...this.#around].filter(([name, around]) => {
      return isEqual(around, within) && name !== gather;
    });
    const inside = nodes.map(([name]) => name).filter((name) => !within.includes(name));
    return gather === undefined ? inside : [...inside, gather];
  }

  #named(kind: NodeKind): readonly string[] {
    return [...this.#nodes.values()].filter((node) => node.kind === kind).map(({ name }) => name);
  }

  #wayTo(from: string, to: string): string {
    return ` (${[...(this.#paths.get(from) ?? [from]), to].join(" -> ")})`;
  }

  #edgeProblem(code: string, node: string, message: string, valid: FoundProblem["valid"]): void {
    this.#problems.push({ code, node, isEdge: true, message, valid });
  }
}

function isEqual(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((scatter, index) => other[index] === scatter);
}
