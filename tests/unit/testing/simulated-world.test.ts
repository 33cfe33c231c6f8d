// The scheduler, the clock and the network of the simulator. Bugs here would look like runs that
// cannot be replayed, or like orders that no real machine can produce.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../base/byte-writer.js";
import { section, writeSection } from "../../../runtime/packet.js";
import { SimulatedNetwork } from "../../../testing/simulated-network.js";
import { SimulatedThread } from "../../../testing/simulated-thread.js";
import { World } from "../../../testing/simulated-world.js";

function worldOf(seed: number): World {
  return new World({ seed, stalls: true });
}

describe("world — order", () => {
  it("keeps the order of a line, and chooses freely between lines", async () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 50; seed += 1) {
      const world = worldOf(seed);
      const ran: string[] = [];
      for (const name of ["a", "b"]) {
        const line = world.line(name);
        for (let index = 0; index < 3; index += 1) {
          world.schedule(line, () => ran.push(`${name}${index}`));
        }
      }
      await world.idle();
      expect(ran.filter((event) => event.startsWith("a"))).toEqual(["a0", "a1", "a2"]);
      expect(ran.filter((event) => event.startsWith("b"))).toEqual(["b0", "b1", "b2"]);
      orders.add(ran.join(" "));
    }
    expect(orders.size).toBeGreaterThan(5);
  });

  it("follows the promises of a step to their end before the next step", async () => {
    const world = worldOf(1);
    const ran: string[] = [];
    const line = world.line("line");
    world.schedule(line, () => {
      void (async () => {
        for (let index = 0; index < 20; index += 1) await undefined;
        ran.push("promises");
      })();
    });
    world.schedule(line, () => ran.push("next"));
    await world.idle();
    expect(ran).toEqual(["promises", "next"]);
  });

  it("hashes what has happened: alike for one seed, not for two", async () => {
    const hashOf = async (seed: number): Promise<string> => {
      const world = worldOf(seed);
      const lines = ["a", "b", "c"].map((name) => world.line(name));
      for (const line of lines) for (let n = 0; n < 9; n += 1) world.schedule(line, () => {});
      await world.idle();
      return world.hash.toString();
    };
    expect(await hashOf(3)).toBe(await hashOf(3));
    expect(await hashOf(3)).not.toBe(await hashOf(4));
  });
});

describe("world — the clock", () => {
  it("jumps to the next timer when nothing else can happen", async () => {
    const world = worldOf(1);
    const line = world.line("line");
    const rang: [string, number][] = [];
    const note = (name: string) => () => rang.push([name, Math.round(world.elapsedMs)]);
    world.after(line, 3_600_000, note("hour"));
    world.after(line, 10, note("older"));
    world.after(line, 10, note("younger"));
    world.after(line, 5, note("cancelled")).cancel();
    await world.idle();
    expect(rang).toEqual([
      ["older", 10],
      ["younger", 10],
      ["hour", 3_600_000],
    ]);
  });

  it("moves while something happens, too", async () => {
    const world = worldOf(1);
    const line = world.line("line");
    let steps = 0;
    const again = (): void => {
      steps += 1;
      if (steps < 10_000) world.schedule(line, again);
    };
    let rangAt = 0;
    world.after(world.line("timer"), 20, () => {
      rangAt = steps;
    });
    world.schedule(line, again);
    await world.idle();
    expect(rangAt).toBeGreaterThan(0);
    expect(rangAt).toBeLessThan(10_000);
  });
});

describe("network", () => {
  function pair(seed: number, duplicates: boolean) {
    const world = worldOf(seed);
    const network = new SimulatedNetwork(world, () => duplicates);
    const begin = (number: number) => {
      const life = new SimulatedThread(world, number, fail, fail);
      return { life, endpoint: network.endpoint(life) };
    };
    return { world, network, one: begin(1), other: begin(2), begin };
  }

  function fail(problem: unknown): never {
    throw new Error(String(problem));
  }

  function streamPacket(mark: number): Uint8Array {
    const packet = new ByteWriter();
    writeSection(packet, section.stream, 0, 1, Uint8Array.of(mark));
    return packet.finish();
  }

  it("keeps packets until the receiver starts, and their order", async () => {
    const { world, network, one, other } = pair(1, false);
    network.connect(1, 2);
    const received: number[] = [];
    other.endpoint.onPacket((_from, packet) => received.push(packet.at(-1) ?? -1));
    for (let mark = 0; mark < 3; mark += 1) one.endpoint.send(2, streamPacket(mark));
    await world.idle();
    expect(received).toEqual([]);
    other.endpoint.start();
    one.endpoint.send(2, streamPacket(3));
    await world.idle();
    expect(received).toEqual([0, 1, 2, 3]);
  });

  it("drops what is on the way to a dead thread, and a last part of what it has sent", async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 40; seed += 1) {
      const { world, network, one, other } = pair(seed, false);
      network.connect(1, 2);
      one.endpoint.start();
      other.endpoint.start();
      const received: number[] = [];
      one.endpoint.onPacket(() => received.push(-1));
      other.endpoint.onPacket((_from, packet) => received.push(packet.at(-1) ?? -1));
      for (let mark = 0; mark < 3; mark += 1) {
        one.endpoint.send(2, streamPacket(mark));
        other.endpoint.send(1, streamPacket(mark));
      }
      one.life.die();
      network.died(1);
      await world.idle();
      expect(received).toEqual([0, 1, 2].slice(0, received.length));
      lengths.add(received.length);
    }
    expect([...lengths].sort()).toEqual([0, 1, 2, 3]);
  });

  it("lets stream messages of the old way arrive again on the new one", async () => {
    let repeated = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const { world, network, one, other, begin } = pair(seed, true);
      network.connect(1, 2);
      one.endpoint.start();
      other.endpoint.start();
      one.endpoint.send(2, streamPacket(7));
      await world.idle();
      other.life.die();
      network.died(2);
      const again = begin(2);
      const received: number[] = [];
      again.endpoint.onPacket((_from, packet) => received.push(packet.at(-1) ?? -1));
      again.endpoint.start();
      network.connect(2, 1);
      await world.idle();
      repeated += received.filter((mark) => mark === 7).length;
    }
    expect(repeated).toBeGreaterThan(0);
  });
});
