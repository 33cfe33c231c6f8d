import { defineConfig } from "vitest/config";

/** Tests of compiled files in real threads; only these wait for a build of `dist`. */
const threadTests = [
  "tests/thread/**/*.test.ts",
  "tests/examples/**/*.test.ts",
  "tests/**/*.thread.test.ts",
];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Every random choice of the suite starts here: see tests/support/property.ts.
    env: { PARTITA_SEED: process.env["PARTITA_SEED"] ?? "20261123" },
    projects: [
      {
        extends: true,
        test: { name: "inline", include: ["tests/**/*.test.ts"], exclude: threadTests },
      },
      {
        extends: true,
        test: {
          name: "thread",
          include: threadTests,
          globalSetup: ["tests/support/build-dist.ts"],
        },
      },
    ],
  },
});
