import { diskFixture, memoryFixture } from "../support/storage-fixture.js";
import { tempDirectory } from "../support/temp-directory.js";
import { describeTaskStorage } from "./task-storage.contract.js";

const arenaBytes = 1024 * 1024;

describeTaskStorage("memory storage", () => memoryFixture({ arenaBytes }));
describeTaskStorage("memory storage, relaxed", () =>
  memoryFixture({ arenaBytes, durability: "relaxed" }),
);
describeTaskStorage("task storage", () => diskFixture(tempDirectory()));
describeTaskStorage("task storage, checkpoints between operations", () =>
  diskFixture(tempDirectory(), { checkpoints: true }),
);
describeTaskStorage("task storage, relaxed", () =>
  diskFixture(tempDirectory(), { durability: "relaxed" }),
);
