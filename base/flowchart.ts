// Flowchart — the text of a Mermaid drawing: boxes, groups of them, arrows.
//
// Owns: ids, indentation and escaping. Leaves to others: what is drawn (agents and topologies).

/** What a box looks like; the name says what it is drawn for. */
export type FlowchartShape = keyof typeof shapes;

const shapes = {
  start: ["((", "))"],
  node: ["[", "]"],
  keyed: ["[[", "]]"],
  scatter: ["[/", "\\]"],
  gather: ["[\\", "/]"],
  store: ["[(", ")]"],
  compute: ["([", "])"],
  object: ["{{", "}}"],
  neighbour: [">", "]"],
} as const;

/** A drawing that is being made. Whatever refers to a box or a group uses its id. */
export class Flowchart {
  readonly #lines: string[] = ["flowchart TD"];
  readonly #arrows: string[] = [];
  #depth = 1;
  #count = 0;

  /** Adds a box to the group that is open, and returns its id. */
  box(label: string, shape: FlowchartShape): string {
    const id = this.#newId();
    const [open, close] = shapes[shape];
    this.#line(`${id}${open}${quoted(label)}${close}`);
    return id;
  }

  /** Adds a group with what `draw` adds, and returns its id. Groups nest. */
  group(label: string, draw: () => void): string {
    const id = this.#newId();
    this.#line(`subgraph ${id}[${quoted(label)}]`);
    this.#depth += 1;
    draw();
    this.#depth -= 1;
    this.#line("end");
    return id;
  }

  /** An arrow; arrows stand behind all boxes, so that none is drawn into a group by its arrow. */
  arrow(from: string, to: string, style: "solid" | "dotted" = "solid"): void {
    this.#arrows.push(`  ${from} ${style === "solid" ? "-->" : "-.->"} ${to}`);
  }

  text(): string {
    return `${[...this.#lines, ...this.#arrows].join("\n")}\n`;
  }

  #newId(): string {
    this.#count += 1;
    return `n${this.#count}`;
  }

  #line(text: string): void {
    this.#lines.push(`${"  ".repeat(this.#depth)}${text}`);
  }
}

function quoted(label: string): string {
  return `"${label.replace(/\s+/g, " ").replaceAll('"', "#quot;")}"`;
}
