// partita/testing — what users test their own topologies with: everything they import, by name.

export { seededRandom } from "./seeded-random.js";
