// Name — what topologies, stores, agents, nodes, updates and registered classes may be called.

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** What a valid name is, for messages: follows "must be". */
export const nameRule: string =
  'a letter followed by at most 63 letters, digits, "_" or "-" (A-Z and a-z, no accents)';

/** Whether `value` is a valid name. Names are never used as paths. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && namePattern.test(value);
}
