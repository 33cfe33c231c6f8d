import type { MemoryStorage } from "../../store/memory-storage.js";

/**
 * `storage`, with `before` called before each of its methods. What it throws is thrown by the
 * method, which then has done nothing.
 */
export function hookedStorage(
  storage: MemoryStorage,
  before: (method: string, args: readonly unknown[]) => void,
): MemoryStorage {
  return new Proxy(storage, {
    get: (target, name) => {
      const found: unknown = Reflect.get(target, name, target);
      if (typeof found !== "function") return found;
      return (...args: unknown[]) => {
        before(String(name), args);
        return found.apply(target, args);
      };
    },
  });
}
