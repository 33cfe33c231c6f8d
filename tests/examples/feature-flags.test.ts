// What goes wrong here would look like a page with the new interface and the old programming
// interface behind it, or a change that another operator's change has overwritten.

import { describe, expect, it } from "vitest";
import { changeFlags } from "../../examples/feature-flags/change.js";
import topology, { flagsKey, type Page } from "../../examples/feature-flags/topology.js";
import { launch } from "../../index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };

describe("feature flags — readers during changes", () => {
  it("builds every page from one revision", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const config = runtime.store("config");
    const render = runtime.agent("render");
    const pages: Page[] = [];
    const reader = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) pages.push(await render.invoke({ userNumber: i }));
    };
    const operator = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        await changeFlags(config, (flags) => ({ newUi: !flags.newUi, newApi: !flags.newApi }));
      }
    };
    await Promise.all([operator(), reader(), reader()]);

    expect(pages.filter((page) => (page.ui === "new") !== (page.api === "v2"))).toEqual([]);
    // The flags were off before the first change: odd revisions are on, even ones are off.
    expect(pages.filter((page) => (page.ui === "new") !== (page.revision % 2 === 1))).toEqual([]);
    expect(new Set(pages.map((page) => page.revision)).size).toBeGreaterThan(1);
  });

  it("shows an acknowledged change on every later page", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const config = runtime.store("config");
    const render = runtime.agent("render");
    for (let revision = 1; revision <= 20; revision++) {
      expect(await changeFlags(config, () => ({ betaPercent: revision }))).toBe(revision);
      const pages = await Promise.all(
        Array.from({ length: 8 }, () => render.invoke({ userNumber: revision - 1 })),
      );
      expect(pages.map((page) => [page.revision, page.beta])).toEqual(
        pages.map(() => [revision, true]),
      );
    }
  });
});

describe("feature flags — operators at the same time", () => {
  it("loses no change", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const config = runtime.store("config");
    const revisions = await Promise.all([
      ...Array.from({ length: 30 }, () => changeFlags(config, (f) => ({ newUi: !f.newUi }))),
      ...Array.from({ length: 30 }, () =>
        changeFlags(config, (f) => ({ betaPercent: f.betaPercent + 1 })),
      ),
    ]);

    expect(await config.get(flagsKey)).toEqual({
      revision: 60,
      newUi: false,
      newApi: false,
      betaPercent: 30,
    });
    // Each change made a revision of its own.
    expect(new Set(revisions).size).toBe(60);
  });

  it("renders with the initial flags before anybody has changed them", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });

    expect(await runtime.agent("render").invoke({ userNumber: 0 })).toEqual({
      revision: 0,
      ui: "old",
      api: "v1",
      beta: false,
    });
  });
});
