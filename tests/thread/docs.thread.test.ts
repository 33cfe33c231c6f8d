// Bugs here would look like a page that shows code which does not compile, or an output nobody
// gets.
import { describe, expect, it } from "vitest";
import { compileSnippets, runSnippet, snippetsOf } from "../support/snippets.js";
import { tempDirectory } from "../support/temp-directory.js";

const pages = ["README.md", "docs/TESTING.md", "docs/AGENTS.md"];

describe.each(pages)("docs — %s", { timeout: 120_000 }, (page) => {
  const snippets = snippetsOf(page);

  it("shows code that compiles and prints what the page says", () => {
    expect(snippets.length).toBeGreaterThan(0);
    const folder = compileSnippets(page, snippets);
    for (const { kind, name, text } of snippets) {
      if (kind === "output")
        expect([name, runSnippet(folder, name, tempDirectory())]).toEqual([name, text]);
    }
  });
});
