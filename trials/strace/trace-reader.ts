// Trace reader — the output of `strace -f -xx` as a stream of system calls.
//
//   120 pwrite64(30, "\x00\x01", 2, 0) = 2              one line: it began and ended
//   121 fdatasync(30 <unfinished ...>                    it began
//   121 <... fdatasync resumed>) = 0                     it ended
//   121 +++ killed by SIGKILL +++
//
// strace stops a thread when a call begins and when it ends, and writes the line before the thread
// goes on: what one call caused in another thread stands behind it.
// Owns: lines. Leaves to others: what calls mean.
//
// Invariants:
//   R1. Every call is given when it begins and, unless its thread died in it, when it ends.
//   R2. Bytes are never cut short: a string that strace has shortened is refused.

/** One system call. */
export interface Call {
  readonly pid: number;
  readonly name: string;
  /** As strace shows them; text and bytes are `"\x..."`. */
  readonly args: readonly string[];
  /** Known when it has ended: `3`, `-1 ENOENT (No such file or directory)`, `? …`. */
  result: string;
  /** Whether strace has put in a fault. */
  injected: boolean;
}

/** A moment at which strace stopped a thread. */
export interface Stop {
  readonly phase: "begins" | "ends";
  readonly call: Call;
}

const newline = 0x0a;

/** Reads a whole trace. */
export function* readTrace(trace: Buffer): Generator<Stop> {
  const unfinished = new Map<number, Call>();
  for (let start = 0; start < trace.length; ) {
    const end = trace.indexOf(newline, start);
    const line = trace.toString("latin1", start, end < 0 ? trace.length : end);
    start = end < 0 ? trace.length : end + 1;
    yield* readLine(line, unfinished);
  }
}

const resumedPattern = /^(\d+)\s+<\.\.\. (\w+) resumed>/;
const callPattern = /^(\d+)\s+(\w+)\(/;
const endPattern = /\)\s+= ([^"]*)$/;
const unfinishedMark = " <unfinished ...>";
const injectedMark = "(INJECTED)";

function* readLine(line: string, unfinished: Map<number, Call>): Generator<Stop> {
  const begun = callPattern.exec(line.slice(0, 60));
  if (begun !== null) {
    const [head, pid = "", name = ""] = begun;
    const isWhole = !line.endsWith(unfinishedMark);
    const tail = line.slice(Math.max(head.length, line.length - 300));
    const ended = isWhole ? endPattern.exec(tail) : null;
    // The last line of a process that was killed can be cut.
    if (isWhole && ended === null) return;
    const argsEnd = line.length - (ended?.[0].length ?? unfinishedMark.length);
    const args = splitArgs(line.slice(head.length, Math.max(head.length, argsEnd)));
    const call = { pid: Number(pid), name, args, result: "", injected: false };
    yield { phase: "begins", call };
    if (ended === null) unfinished.set(call.pid, call);
    else yield finished(call, ended[1] ?? "");
    return;
  }
  const resumed = resumedPattern.exec(line.slice(0, 80));
  if (resumed === null) return;
  const call = unfinished.get(Number(resumed[1]));
  const ended = endPattern.exec(line.slice(-300));
  if (call === undefined || ended === null) return;
  unfinished.delete(call.pid);
  yield finished(call, ended[1] ?? "");
}

function finished(call: Call, result: string): Stop {
  call.result = result;
  call.injected = result.includes(injectedMark);
  return { phase: "ends", call };
}

/** Arguments at the top level: commas within brackets do not count. Strings have none (-xx). */
function splitArgs(text: string): string[] {
  const args: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = text.indexOf('"', at + 1);
    else if (code === 0x7b || code === 0x5b || code === 0x28) depth += 1;
    else if (code === 0x7d || code === 0x5d || code === 0x29) depth -= 1;
    else if (code === 0x2c && depth === 0) {
      args.push(text.slice(from, at));
      from = at + 2;
    }
    if (at < 0) throw new RangeError(`a string without an end: ${shown(text)}`);
  }
  if (from < text.length) args.push(text.slice(from));
  return args;
}

/** An error number that no kernel has: strace read the registers of a thread that was dying. */
const noErrno = /^-1 \(errno \d{5,}\)/;

/** The number that a call has returned; negative when it failed, NaN when nobody knows. */
export function returned(call: Call): number {
  return noErrno.test(call.result) ? Number.NaN : Number.parseInt(call.result, 10);
}

/** The bytes of a string argument. */
export function bytesOf(argument: string): Buffer {
  const end = argument.lastIndexOf('"');
  if (!argument.startsWith('"') || end !== argument.length - 1) {
    throw new RangeError(`not a whole string: ${shown(argument)}`);
  }
  const bytes = Buffer.allocUnsafe((end - 1) / 4);
  for (let at = 1, index = 0; at < end; at += 4, index += 1) {
    bytes[index] = hexDigit(argument, at + 2) * 16 + hexDigit(argument, at + 3);
  }
  return bytes;
}

/** A path argument. */
export function pathOf(argument: string): string {
  return bytesOf(argument).toString("utf8");
}

/** The bytes of a vector argument, `[{iov_base="…", iov_len=3}, …]`, one after the other. */
export function vectorOf(argument: string): Buffer {
  const parts = [...argument.matchAll(/iov_base=("[^"]*"(?:\.\.\.)?), iov_len=/g)];
  return Buffer.concat(parts.map(([, text = ""]) => bytesOf(text)));
}

function hexDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code <= 0x39 ? code - 0x30 : code - 0x57;
}

function shown(text: string): string {
  return text.length > 160 ? `${text.slice(0, 120)} … ${text.slice(-40)}` : text;
}
