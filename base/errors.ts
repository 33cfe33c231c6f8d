// PartitaError — the one class of every error that a user of Partita can cause or meet.
//
// Owns: the brand, and where the stack begins. Leaves to others: codes and details
// (error-codes.ts), words (error-messages.ts), the way to another thread and back (error-wire.ts).
//
// Invariants:
//   E1. `details` fits `code`, by type. Both are what programs look at; `message` is for people.
//   E2. An error is recognised by its brand, never by `instanceof`: it may come from another copy
//       of this package or from another realm.
//   E3. The stack begins at the first line outside of Partita, when there is one: the user's line.

import type { DetailsOf, PartitaErrorCode } from "./error-codes.js";
import { messageOf } from "./error-messages.js";

export type { ErrorDetails, PartitaErrorCode } from "./error-codes.js";

const brand: unique symbol = Symbol.for("partita.error");

/** Frames looked at for the user's line; V8's default of 10 can be all ours. */
const stackFramesMax = 40;
/** Frames that are kept. */
const stackFramesKept = 12;

/** What an error can be given beside its details. */
export interface PartitaErrorOptions {
  /** What brought it about. */
  readonly cause?: unknown;
  /**
   * The stack begins at the caller of this function; by default at the first line not ours (E3).
   */
  readonly below?: (...args: never[]) => unknown;
  /** Instead of the words of error-messages.ts: for an error that comes from elsewhere. */
  readonly message?: string;
}

/**
 * An error with a string `code` and typed `details`. Recognise it with `PartitaError.is(error,
 * code)`. It is the same after it has crossed threads: code, message, details, stack and causes.
 */
export class PartitaError<C extends PartitaErrorCode = PartitaErrorCode> extends Error {
  static {
    PartitaError.prototype.name = "PartitaError";
    Object.defineProperty(PartitaError.prototype, brand, { value: true });
    // On the prototype, so that frames become text only when somebody looks: errors of a system
    // under too much load are many, and thrown away.
    Object.defineProperty(PartitaError.prototype, "stack", {
      configurable: true,
      get(this: PartitaError): string | undefined {
        // The prototype itself, or an object that inherits from an error.
        if (!(#frames in this)) return undefined;
        const frames = fromUsersLine(this.#frames.stack ?? "");
        const stack = `${this.name}: ${this.message}${frames}`;
        replaceStack(this, stack);
        return stack;
      },
      set(this: Error, stack: string) {
        replaceStack(this, stack);
      },
    });
  }

  /** Says what happened; stable over releases. */
  readonly code: C;
  /** Names, numbers and limits that belong to the code; plain data. */
  readonly details: DetailsOf<C>;
  /** Holds where the error was made. */
  readonly #frames: { readonly stack?: string } = {};

  constructor(code: C, details: DetailsOf<C>, options: PartitaErrorOptions = {}) {
    const message = options.message ?? messageOf(code, details);
    const limitBefore = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    Error.stackTraceLimit = framesAfter(limitBefore);
    Error.captureStackTrace(this.#frames, options.below ?? PartitaError);
    Error.stackTraceLimit = limitBefore;
    // V8's own one has no frames, and would hide the prototype's.
    delete this.stack;
    this.code = code;
    this.details = details;
  }

  /**
   * Lets the stack of an error begin below `below`, as if it had been made there: for what is found
   * so deep in a recursion that the user's line is beyond the frames that are kept. Other errors
   * stay.
   */
  static retrace(error: unknown, below: (...args: never[]) => unknown): void {
    if (typeof error !== "object" || error === null || !(#frames in error)) return;
    const limitBefore = Error.stackTraceLimit;
    Error.stackTraceLimit = framesAfter(limitBefore);
    Error.captureStackTrace(error.#frames, below);
    Error.stackTraceLimit = limitBefore;
  }

  /** Whether `error` is a PartitaError, from whatever thread, realm or copy, and has this code. */
  static is<C extends PartitaErrorCode>(error: unknown, code: C): error is PartitaError<C>;
  static is(error: unknown): error is PartitaError;
  static is(error: unknown, code?: PartitaErrorCode): boolean {
    if (typeof error !== "object" || error === null || !(brand in error)) return false;
    return code === undefined || ("code" in error && error.code === code);
  }
}

/** Frames to look at: none for who has turned stacks off. */
function framesAfter(limit: number): number {
  return limit === 0 ? 0 : stackFramesMax;
}

/** What an update's function threw, wrapped once: a PartitaError is returned as it is. */
export function updateThrew(thrown: unknown, store: string, update: string): PartitaError {
  if (PartitaError.is(thrown)) return thrown;
  return new PartitaError("UPDATE_THREW", { store, update }, { cause: thrown });
}

/** Sets `stack` the way V8 does: an own property that does not enumerate. */
export function replaceStack(error: Error, stack: string): void {
  Object.defineProperty(error, "stack", {
    value: stack,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

const ourRoots: readonly string[] = packageRoots(import.meta.url);
const ourPlaces: readonly string[] = [
  "base/",
  "store/",
  "runtime/",
  "agents/",
  "launch.",
  "index.",
  "bundle/",
];

/**
 * Directories our files can be shown in: as compiled or bundled, and as mapped back to the sources.
 */
function packageRoots(self: string): string[] {
  const root = new URL("../", self);
  const urls = root.pathname.endsWith("/dist/") ? [root, new URL("../", root)] : [root];
  return urls.flatMap((url) => [url.href, decodeURIComponent(url.pathname)]);
}

/** The frames of `stack` behind those of ours that lead it, or all when all are ours. */
function fromUsersLine(stack: string): string {
  const frames = stack.split("\n").filter(isFrame);
  const user = frames.findIndex((line) => !isOurs(line) && !isNative(line));
  const start = Math.max(user, 0);
  return frames
    .slice(start, start + stackFramesKept)
    .map((line) => `\n${line}`)
    .join("");
}

function isFrame(line: string): boolean {
  return line.startsWith("    at ");
}

/** `Array.map`, `new Promise`, and what Node has in between: nobody's line. */
function isNative(line: string): boolean {
  return line.endsWith("(<anonymous>)") || line.includes("node:");
}

function isOurs(line: string): boolean {
  return ourRoots.some((root) => ourPlaces.some((place) => line.includes(root + place)));
}
