import { PartitaError, type PartitaErrorCode } from "../../dist/index.js";

/** What a promise rejects with, which must be a PartitaError of this code. */
export async function refusal(
  promise: Promise<unknown>,
  code: PartitaErrorCode,
): Promise<PartitaError> {
  let outcome: unknown;
  try {
    outcome = await promise;
  } catch (error) {
    if (PartitaError.is(error) && error.code === code) return error;
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
