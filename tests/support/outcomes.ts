import { PartitaError, type PartitaErrorCode } from "../../dist/index.js";

/** What a promise rejects with, which must be a PartitaError of this code. */
export async function refusal<C extends PartitaErrorCode>(
  promise: Promise<unknown>,
  code: C,
): Promise<PartitaError<C>> {
  let outcome: unknown;
  try {
    outcome = await promise;
  } catch (error) {
    if (PartitaError.is(error, code)) return error;
    throw new Error(`expected ${code}`, { cause: error });
  }
  throw new Error(`expected ${code}, but it resolved with ${String(outcome)}`);
}

/** Calls until `call` is no longer rejected with TASK_EXITED; each time in a turn of its own. */
export async function untilServed<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(PartitaError.is(error) && error.code === "TASK_EXITED")) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
