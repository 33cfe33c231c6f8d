// Simulated network — ways between the threads of one simulated process, and what becomes of what
// is on them.
//
// A way carries packets in order each way, as ports do; how long they take is the world's choice.
// When a thread dies, of what it has sent a random first part still arrives, and what was sent to
// it is gone. When it is replaced, some of the stream messages that were on the old way arrive a
// second time on the new one: what a destination must know again by their numbers.
// Owns: ways and what is on them. Leaves to others: who is alive, what packets mean.
//
// Invariants: X1 to X4 of transport.ts and thread-transport.ts, for each way.

import { ByteWriter } from "../base/byte-writer.js";
import { readSections, section, writeSection } from "../runtime/packet.js";
import type { Transport } from "../runtime/transport.js";
import type { SimulatedThread } from "./simulated-thread.js";
import type { Line, World } from "./simulated-world.js";

/** Stream messages that are kept for a second arrival, per direction. */
const keptMax = 3;

export type Receiver = (from: number, packet: Uint8Array) => void;

/** One thread's end. */
export interface SimulatedEndpoint extends Transport {
  /** Receives from now on, first what has arrived before. */
  start(): void;
}

interface Direction {
  readonly from: number;
  readonly to: number;
  readonly line: Line;
  /** What arrived before the receiver has started. */
  readonly early: Uint8Array[];
  /** Neither end has closed it. */
  open: boolean;
}

export class SimulatedNetwork {
  readonly #world: World;
  readonly #duplicates: () => boolean;
  readonly #directions = new Map<string, Direction>();
  /** Packets with the newest stream sections of each direction, over its ways. */
  readonly #kept = new Map<string, Uint8Array[]>();
  readonly #receivers = new Map<number, Receiver>();
  readonly #started = new Set<number>();

  /** `duplicates` says, for each new way, whether old messages arrive on it again. */
  constructor(world: World, duplicates: () => boolean) {
    this.#world = world;
    this.#duplicates = duplicates;
  }

  /** The end of a thread that begins. */
  endpoint(life: SimulatedThread): SimulatedEndpoint {
    const { thread } = life;
    this.#started.delete(thread);
    let isOpen = true;
    return {
      thread,
      send: (to, packet) => {
        if (isOpen && life.alive) this.#send(thread, to, packet);
      },
      onPacket: (receive) => {
        this.#receivers.set(thread, (from, packet) => life.run(() => receive(from, packet)));
      },
      start: () => this.#start(thread),
      close: () => {
        isOpen = false;
      },
    };
  }

  /** A fresh way between two threads. */
  connect(one: number, other: number): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#close(from, to);
      const line = this.#world.line(`${from}->${to}`);
      const direction = { from, to, line, early: [], open: true };
      this.#directions.set(`${from} ${to}`, direction);
      if (this.#duplicates()) this.#repeat(direction);
    }
  }

  /** `thread` forgets `peer`: nothing of it is received any more, nothing is sent to it. */
  disconnect(thread: number, peer: number): void {
    this.#close(thread, peer);
    this.#close(peer, thread);
  }

  /** A thread has died. */
  died(thread: number): void {
    this.#receivers.delete(thread);
    for (const direction of this.#directions.values()) {
      if (direction.to === thread) direction.line.keep(0);
      if (direction.from !== thread) continue;
      direction.line.keep(this.#world.pick(direction.line.length + 1));
    }
  }

  #send(from: number, to: number, packet: Uint8Array): void {
    const direction = this.#directions.get(`${from} ${to}`);
    if (direction === undefined) return;
    // Its own bytes: what the sender still did to them would be seen.
    const copy = packet.slice();
    this.#keep(from, to, copy);
    this.#carry(direction, copy);
  }

  #carry(direction: Direction, packet: Uint8Array): void {
    this.#world.schedule(direction.line, () => {
      if (!direction.open) return;
      if (this.#started.has(direction.to)) this.#deliver(direction, packet);
      else direction.early.push(packet);
    });
  }

  #deliver({ from, to }: Direction, packet: Uint8Array): void {
    this.#world.hash.add(packet.length);
    this.#world.tell(() => `${from} -> ${to}: ${shown(packet)}`);
    this.#receivers.get(to)?.(from, packet);
  }

  #start(thread: number): void {
    this.#started.add(thread);
    for (const direction of this.#directions.values()) {
      if (direction.to !== thread) continue;
      // Back to the front of the line: what has arrived came before what is on the way.
      const early = direction.early.splice(0);
      const later = direction.line.events.splice(direction.line.head);
      for (const packet of early) this.#carry(direction, packet);
      for (const event of later) this.#world.schedule(direction.line, event);
    }
  }

  #close(from: number, to: number): void {
    const name = `${from} ${to}`;
    const direction = this.#directions.get(name);
    if (direction === undefined) return;
    direction.open = false;
    direction.line.keep(0);
    this.#directions.delete(name);
  }

  #keep(from: number, to: number, packet: Uint8Array): void {
    const streams = streamsOf(packet);
    if (streams === undefined) return;
    const name = `${from} ${to}`;
    const kept = this.#kept.get(name) ?? [];
    kept.push(streams);
    if (kept.length > keptMax) kept.shift();
    this.#kept.set(name, kept);
  }

  #repeat(direction: Direction): void {
    const kept = this.#kept.get(`${direction.from} ${direction.to}`) ?? [];
    // The newest alone, most of the time: what was lost before it is then missed.
    const from = this.#world.chance(0.5) ? kept.length - 1 : this.#world.pick(kept.length + 1);
    for (const packet of kept.slice(Math.max(0, from))) {
      this.#world.tell(() => `${direction.from} -> ${direction.to} again: ${shown(packet)}`);
      this.#carry(direction, packet);
    }
  }
}

/** A packet with the stream sections of another one; `undefined` when it has none. */
function streamsOf(packet: Uint8Array): Uint8Array | undefined {
  let streams: ByteWriter | undefined;
  readSections(packet, (kind, from, to, body) => {
    if (kind !== section.stream) return;
    streams ??= new ByteWriter();
    writeSection(streams, section.stream, from, to, body);
  });
  return streams?.finish();
}

const kindNames = new Map<number, string>(
  Object.entries(section).map(([name, number]) => [number, name]),
);

function shown(packet: Uint8Array): string {
  const sections: string[] = [];
  readSections(packet, (kind, from, to, body) => {
    sections.push(`${kindNames.get(kind) ?? kind} ${from}->${to} ${body.length} B`);
  });
  return sections.join(", ");
}
