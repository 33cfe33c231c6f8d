import { PartitaError, type PartitaErrorCode } from "../../base/errors.js";

/**
 * The PartitaError with this code that `action` throws.
 * @throws Error when it throws nothing, another code or anything else
 */
export function refusalOf<C extends PartitaErrorCode>(
  code: C,
  action: () => unknown,
): PartitaError<C> {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
    if (PartitaError.is(error, code)) return error;
  }
  throw new Error(`expected ${code}, not ${String(thrown)}`, { cause: thrown });
}
