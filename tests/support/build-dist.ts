import { ensureBuilt } from "../../scripts/prepare.mjs";

/** Worker threads load compiled files: builds `dist` once, before the first test that needs it. */
export async function setup(): Promise<void> {
  await ensureBuilt();
}
