import { describe, expect, it } from "vitest";
import {
  bytesOf,
  pathOf,
  readTrace,
  returned,
  vectorOf,
} from "../../../trials/strace/trace-reader.js";

function read(...lines: readonly string[]) {
  const trace = Buffer.from(`${lines.join("\n")}\n`, "latin1");
  return Array.from(readTrace(trace), ({ phase, call }) => ({ phase, ...call }));
}

describe("trace reader — lines of strace", () => {
  it("gives a call on one line its beginning and its end", () => {
    const stops = read('12 pwrite64(30, "\\x2c\\x29", 2, 4096) = 2');
    expect(stops.map(({ phase }) => phase)).toEqual(["begins", "ends"]);
    expect(stops[1]).toMatchObject({ pid: 12, name: "pwrite64", result: "2", injected: false });
    expect(stops[1]?.args).toEqual(["30", '"\\x2c\\x29"', "2", "4096"]);
  });

  it("puts the end of a call where another thread let it end", () => {
    const stops = read(
      "12 fdatasync(30 <unfinished ...>",
      '13 write(9, "\\x61", 1)             = 1',
      "12 <... fdatasync resumed>)         = 0",
    );
    const seen = stops.map(({ phase, name, pid }) => `${pid} ${name} ${phase}`);
    expect(seen).toEqual([
      "12 fdatasync begins",
      "13 write begins",
      "13 write ends",
      "12 fdatasync ends",
    ]);
    expect(stops[0]?.args).toEqual(["30"]);
  });

  it("knows failures, faults that were put in, and threads that died in a call", () => {
    const [failed, injected, killed] = [
      '7 unlink("\\x61") = -1 ENOENT (No such file or directory)',
      "7 fdatasync(3) = -1 EIO (Input/output error) (INJECTED)",
      "7 fsync(3) = ?",
    ].map((line) => read(line)[1]);
    expect(failed).toMatchObject({ result: "-1 ENOENT (No such file or directory)" });
    expect(injected).toMatchObject({ injected: true });
    expect(killed === undefined ? 0 : returned(killed)).toBeNaN();
    expect(failed === undefined ? 0 : returned(failed)).toBe(-1);
  });

  it("takes an error number that no kernel has for a call that a thread died in", () => {
    const [, stop] = read("7 pwrite64(3, 9, 9, 0) = -1 (errno 18446744073709551414)");
    expect(stop === undefined ? 0 : returned(stop)).toBeNaN();
    const [, known] = read("7 pwrite64(3, 9, 9, 0) = -1 (errno 4095)");
    expect(known === undefined ? 0 : returned(known)).toBe(-1);
  });

  it("leaves out signals, exits and what was cut off when the process was killed", () => {
    expect(read("7 +++ killed by SIGKILL +++", "7 --- SIGTERM {si_signo=SIGTERM} ---")).toEqual([]);
    expect(read('7 pwrite64(3, "\\x61')).toEqual([]);
  });

  it("splits arguments at the top level", () => {
    const line =
      '7 writev(3, [{iov_base="\\x01\\x02", iov_len=2}, {iov_base="\\x03", iov_len=1}], 2) = 3';
    const [, vector = ""] = read(line)[0]?.args ?? [];
    expect(vectorOf(vector)).toEqual(Buffer.from([1, 2, 3]));
  });

  it("decodes bytes and paths, and refuses bytes that were cut short", () => {
    expect(bytesOf('"\\x00\\xff\\x0a"')).toEqual(Buffer.from([0, 255, 10]));
    expect(pathOf('"\\x2f\\xc3\\xa9"')).toBe("/é");
    expect(() => bytesOf('"\\x00"...')).toThrow("not a whole string");
  });
});
