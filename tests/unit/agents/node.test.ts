import { describe, expect, it } from "vitest";
import { node, nodeOptions } from "../../../agents/declare/node.js";
import { type } from "../../../store/schema.js";

describe("node", () => {
  it("is an immutable declaration of what it was given", () => {
    const options = { input: type<string>(), to: ["b"], key: (m: string) => m } as const;
    const declared = node(options);
    expect(declared.kind).toBe("node");
    expect(declared[nodeOptions]).toBe(options);
    expect(Object.isFrozen(declared)).toBe(true);
  });

  it("refuses nothing by itself: topology() reports all problems at once", () => {
    // cast: what a JavaScript caller could pass
    expect(node(null as unknown as Parameters<typeof node>[0]).kind).toBe("node");
  });
});
