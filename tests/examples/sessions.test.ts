// What goes wrong here would look like a session that two users hold, one that comes back after its
// end, or one that the sweep ends although its user was there in time.

import { describe, expect, it } from "vitest";
import topology, { type Session } from "../../examples/sessions/topology.js";
import { launch } from "../../index.js";
import { tempDirectory } from "../support/temp-directory.js";

const options = { tasks: 4, threads: 0 };
const ada = sessionId(0xada);

describe("sessions — one session", () => {
  it("gives a session id to exactly one of many logins at once", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const sessions = runtime.store("sessions");
    const users = Array.from({ length: 20 }, (_, i) => `user-${i}`);
    const taken = await Promise.all(
      users.map((user) => sessions.update("login", ada, user, 1_000)),
    );

    expect(taken.filter((isMine) => isMine)).toHaveLength(1);
    expect((await sessions.get(ada))?.user).toBe(users[taken.indexOf(true)]);
  });

  it("keeps the newest time when touches overtake each other", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const sessions = runtime.store("sessions");
    await sessions.update("login", ada, "ada", 1_000);
    await sessions.update("touch", ada, 3_000);
    await sessions.update("touch", ada, 2_000);
    await sessions.update("prefer", ada, "theme", "dark");

    expect(await sessions.get(ada)).toEqual({
      user: "ada",
      loginAt: 1_000,
      seenAt: 3_000,
      preferences: { theme: "dark" },
    });
  });

  it("does not bring a session back that has been logged out", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const sessions = runtime.store("sessions");
    await sessions.update("login", ada, "ada", 1_000);

    expect(await sessions.update("logout", ada)).toBe(true);
    expect(await sessions.update("touch", ada, 2_000)).toBe(false);
    expect(await sessions.update("prefer", ada, "theme", "dark")).toBe(false);
    expect(await sessions.update("logout", ada)).toBe(false);
    expect(await sessions.contains(ada)).toBe(false);
  });
});

describe("sessions — many at once", () => {
  it("imports a batch and lists it in the order of the ids", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const sessions = runtime.store("sessions");
    const imported = idleSessions(300);
    await sessions.putMany([...imported].reverse());

    expect(await collect(sessions.entries())).toEqual(imported);
  });

  it("sweeps idle sessions only", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const sessions = runtime.store("sessions");
    await sessions.putMany(idleSessions(100));
    await sessions.update("login", ada, "ada", 5_000);

    expect(await runtime.agent("sweep").invoke({ idleSince: 4_000 })).toBe(100);
    expect((await collect(sessions.entries())).map(([id]) => id)).toEqual([ada]);
  });

  it("never sweeps a session whose touch was accepted, in any interleaving", async () => {
    await using runtime = await launch(topology, { directory: tempDirectory(), ...options });
    const sessions = runtime.store("sessions");
    const imported = idleSessions(200);
    await sessions.putMany(imported);

    const sweeping = runtime.agent("sweep").invoke({ idleSince: 4_000 });
    const touched: boolean[] = [];
    // From the far end, so that the two meet somewhere in the middle.
    for (const [id] of [...imported].reverse()) {
      touched.unshift(await sessions.update("touch", id, 5_000));
    }
    const ended = await sweeping;
    const there = await Promise.all(imported.map(([id]) => sessions.contains(id)));

    expect(there).toEqual(touched);
    expect(ended).toBe(there.filter((isThere) => !isThere).length);
  });
});

function idleSessions(count: number): readonly (readonly [string, Session])[] {
  return Array.from({ length: count }, (_, i) => {
    const session = { user: `user-${i}`, loginAt: 1_000, seenAt: 1_000 + i, preferences: {} };
    return [sessionId(i), session] as const;
  });
}

function sessionId(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

async function collect<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}
