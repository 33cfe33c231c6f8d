// Calls that need several requests. Bugs here would look like a refusal that has cleared or written
// a part: a caller who is refused must be able to believe that nothing happened.
import { describe, expect, it } from "vitest";
import { keyValueStore, string, topology, type } from "../../../index.js";
import { inlineCluster } from "../../support/inline-cluster.js";

const values = keyValueStore({ key: string, value: type<number>() });
const declared = topology("whole", import.meta.url, { stores: { values } });

/** Forty rows on four tasks whose lanes take so many requests. */
async function filled(messagesMax: number) {
  const runtime = await inlineCluster(declared, {
    tasks: 4,
    mailbox: { messagesMax, whenFull: "reject" },
  });
  const store = runtime.store("values");
  for (let index = 0; index < 40; index += 1) await store.put(`z${index}`, index);
  const count = async (): Promise<number> => {
    let rows = 0;
    for await (const _ of store.entries()) rows += 1;
    return rows;
  };
  return { store, count };
}

describe("whole calls — refused for lack of room", () => {
  it("clears no task when one has no room", async () => {
    const { store, count } = await filled(2);
    const puts = [store.put("q", 1), store.put("q", 2), store.put("q", 3)];
    const cleared = store.clear();
    await expect(cleared).rejects.toMatchObject({ code: "MAILBOX_FULL" });
    await Promise.allSettled(puts);
    expect(await count()).toBe(41);
    await store.clear();
    expect(await count()).toBe(0);
  });

  it("writes none of many values when not all have room", async () => {
    const { store, count } = await filled(10);
    const many = Array.from({ length: 60 }, (_, index) => [`n${index}`, index] as const);
    await expect(store.putMany(many)).rejects.toMatchObject({ code: "MAILBOX_FULL" });
    expect(await count()).toBe(40);
    await store.putMany(many.slice(0, 8));
    expect(await count()).toBe(48);
  });
});
