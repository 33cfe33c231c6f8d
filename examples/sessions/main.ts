import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../index.js";
import topology, { type Session } from "./topology.js";

const minute = 60_000;

async function main(directory: string): Promise<void> {
  await using runtime = await launch(topology, { directory, tasks: 4, threads: 2 });
  const sessions = runtime.store("sessions");
  const now = Date.now();

  const ada = randomUUID();
  const login = (user: string) => sessions.update("login", ada, user, now);
  console.log("two logins with one id:", await Promise.all([login("ada"), login("eve")]));
  await sessions.update("prefer", ada, "theme", "dark");
  console.log("ada:", await sessions.get(ada));

  // A thousand sessions of another system, an hour old. Not awaited one by one: one batch for all.
  const old = { loginAt: now - 90 * minute, seenAt: now - 60 * minute, preferences: {} };
  const imported = Array.from({ length: 1000 }, (_, i): [string, Session] => {
    return [randomUUID(), { user: `user-${i}`, ...old }];
  });
  await sessions.putMany(imported);

  const idleSince = now - 30 * minute;
  console.log("swept:", await runtime.agent("sweep").invoke({ idleSince }));
  for await (const [, { user }] of sessions.entries()) console.log("still there:", user);

  console.log("logout:", await sessions.update("logout", ada));
  console.log("touched after logout:", await sessions.update("touch", ada, Date.now()));
}

const directory = await mkdtemp(join(tmpdir(), "partita-sessions-"));
await main(directory).finally(() => rm(directory, { recursive: true }));
