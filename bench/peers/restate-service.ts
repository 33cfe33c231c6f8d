// The thread that serves Restate's handlers: one that gives what it was sent, and a counter, the
// state of a virtual object.

import { parentPort } from "node:worker_threads";
import { object, serve, service } from "@restatedev/restate-sdk";
import type { Context, ObjectContext, ObjectSharedContext } from "@restatedev/restate-sdk";

const relay = service({
  name: "relay",
  handlers: { pass: async (_ctx: Context, sent: string): Promise<string> => sent },
});

const counter = object({
  name: "counter",
  handlers: {
    add: async (ctx: ObjectContext, by: number): Promise<number> => {
      const next = ((await ctx.get<number>("count")) ?? 0) + by;
      ctx.set("count", next);
      return next;
    },
    read: async (ctx: ObjectSharedContext): Promise<number> => (await ctx.get("count")) ?? 0,
  },
});

/** What clients know of it. */
export type Counter = typeof counter;
export type Relay = typeof relay;

// The SDK needs it of its Node, which has it from version 22 on; this one may be 20.
if (!("withResolvers" in Promise)) {
  Object.defineProperty(Promise, "withResolvers", {
    value: () => {
      const settle: { resolve?: unknown; reject?: unknown } = {};
      const promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }));
      return { promise, ...settle };
    },
  });
}

if (parentPort === null) throw new Error("this file is the entry of a thread");
parentPort.postMessage(await serve({ services: [relay, counter], port: 0 }));
