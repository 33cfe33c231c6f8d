import fc from "fast-check";
import { careless } from "./careless.js";
import { ordersProperty, stockProperty } from "./properties.js";
import sound from "./topology.js";

const settings = { seed: 20261125, numRuns: 100 };

/** Runs a property and says how it came out. */
async function report<T>(what: string, property: fc.IAsyncProperty<T>): Promise<void> {
  const { failed, numRuns, numShrinks, counterexample, errorInstance } = await fc.check(
    property,
    settings,
  );
  console.log(failed ? `${what}: caught in run ${numRuns}` : `${what}: held in ${numRuns} runs`);
  if (!failed) return;
  console.log(`  shrunk ${numShrinks} times, to ${fc.stringify(counterexample)}`);
  const message = errorInstance instanceof Error ? errorInstance.message : "";
  for (const line of message.split("\n")) console.log(`  ${line}`);
}

let crashes = 0;
const count = (happened: number) => {
  crashes += happened;
};
await report("stock over crashes", stockProperty(sound));
await report("orders at once", ordersProperty(sound, count));
console.log(`(${crashes} times a thread or the process died meanwhile)`);
await report("orders at once, carelessly", ordersProperty(careless));
