// Bugs here would look like a stream that goes on at another message than the one it stopped at.
import { describe, expect, it } from "vitest";
import {
  ackBody,
  helloBody,
  readAck,
  readHello,
  readStreamHeader,
  streamBody,
  streamHeaderBytes,
} from "../../../runtime/stream-encoding.js";

describe("stream encoding", () => {
  it("carries sequence numbers beyond 32 bits", () => {
    const number = 2 ** 40 + 7;
    for (const resend of [true, false]) {
      const ack = { applied: number, durable: number - 1, resend };
      expect(readAck(7, ackBody(7, ack))).toEqual(ack);
    }
    const stream = streamBody(7, number, Uint8Array.of(1, 2));
    expect(readStreamHeader(7, stream)).toBe(number);
    expect([...stream.subarray(streamHeaderBytes)]).toEqual([1, 2]);
  });

  it("treats whatever belongs to another range map as a broken invariant (W3)", () => {
    const ack = { applied: 1, durable: 1, resend: false };
    const message = "a message of epoch 2 reached a task of epoch 1";
    expect(() => readAck(1, ackBody(2, ack))).toThrow(message);
    expect(() => readStreamHeader(1, streamBody(2, 1, new Uint8Array(0)))).toThrow(message);
    expect(() => readHello(1, helloBody(2))).toThrow(message);
  });
});
