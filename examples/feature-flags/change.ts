import { type Flags, flagsKey, initialFlags } from "./topology.js";

/** The part of the config store that a change needs. */
interface ConfigStore {
  modify(
    key: string,
    change: (current: Flags | undefined) => Flags | undefined,
  ): Promise<Flags | undefined>;
}

/**
 * Applies a change to the newest flags and resolves with the revision that it made.
 * `change` is a closure, run here and not at the owner, so it may use anything in this process. It
 * may run more than once and must not do anything but compute.
 */
export async function changeFlags(
  config: ConfigStore,
  change: (flags: Flags) => Partial<Omit<Flags, "revision">>,
): Promise<number> {
  const changed = await config.modify(flagsKey, (current = initialFlags) => {
    // No race: what this returns is written only if `current` is still the newest value when it
    // gets to the owner. If another operator was faster, this runs again on what that one wrote.
    return { ...current, ...change(current), revision: current.revision + 1 };
  });
  return changed?.revision ?? initialFlags.revision;
}
