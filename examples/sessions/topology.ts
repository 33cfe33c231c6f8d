// User sessions by uuid: log in, touch, log out, and an agent that ends the idle ones.
//
// Guarantees:
//   1. A session id is taken once: of two logins with one id, exactly one succeeds.
//   2. A session that was ended stays ended: a late `touch` never brings it back.
//   3. A session that is touched in time is never swept, even if the sweep has seen it idle before.

import { agent, keyValueStore, node, reply, topology, type, uuid } from "../../index.js";

/** Times are milliseconds since the epoch. */
export interface Session {
  readonly user: string;
  readonly loginAt: number;
  readonly seenAt: number;
  readonly preferences: Readonly<Record<string, string>>;
}

// Updates are pure, so the time comes in as an argument. Replies say whether something was done.
const sessions = keyValueStore({
  key: uuid,
  value: type<Session>(),
  updates: {
    // No race: the look ("is it free?") and the write are one update, and the task that owns the id
    // runs one update of it at a time.
    login: (current: Session | undefined, user: string, now: number) =>
      current === undefined
        ? reply({ user, loginAt: now, seenAt: now, preferences: {} }, true)
        : reply(current, false),
    // A value of `undefined` means that there is no session, before and after: nothing is revived.
    // Clients' clocks differ and their messages overtake each other: the newest time wins.
    touch: (current: Session | undefined, now: number) =>
      current === undefined
        ? reply(undefined, false)
        : reply({ ...current, seenAt: Math.max(current.seenAt, now) }, true),
    prefer: (current: Session | undefined, name: string, choice: string) =>
      current === undefined
        ? reply(undefined, false)
        : reply({ ...current, preferences: { ...current.preferences, [name]: choice } }, true),
    logout: (current: Session | undefined) => reply(undefined, current !== undefined),
    // Asks again what the sweep has asked before: see there.
    expire: (current: Session | undefined, idleSince: number) =>
      current !== undefined && current.seenAt < idleSince
        ? reply(undefined, true)
        : reply(current, false),
  },
});

const sweep = agent({
  stores: { sessions },
  entry: "sweep",
  // How many sessions were ended.
  result: type<number>(),
  nodes: { sweep: node({ input: type<{ readonly idleSince: number }>() }) },
}).implement({
  async sweep(ctx, { idleSince }) {
    let ended = 0;
    for await (const [id, session] of ctx.stores.sessions.entries()) {
      if (session.seenAt >= idleSince) continue;
      // `session` is what it was when it was read; its user may have come back since. `expire`
      // therefore decides again at the owner, where nothing happens between its look and its write.
      if (await ctx.stores.sessions.update("expire", id, idleSince)) ended += 1;
    }
    ctx.result(ended);
  },
});

export default topology("sessions", import.meta.url, { stores: { sessions }, agents: { sweep } });
