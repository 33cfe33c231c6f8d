import { loadFlights } from "./flights.js";
import { helpText, type Options, readOptions, temporaryDirectory } from "./options.js";
import { recompute } from "./recompute.js";
import { comparison, conclusion, tables, throughput } from "./report.js";
import { countFlights, readAgain } from "./run.js";
import { verify } from "./verify.js";

/** Counts, checks, launches again on the same directory and checks again. True: all is equal. */
async function run(options: Options): Promise<boolean> {
  const flights = loadFlights(options.flights);
  const expected = recompute(flights);
  const { tasks, threads, directory = temporaryDirectory() } = options;
  console.log(`Counting ${flights.length} flights on ${tasks} tasks, ${threads} threads`);

  const counted = await countFlights(flights, { directory, tasks, threads });
  const check = verify(counted.statistics, expected);
  console.log(`\n${tables(counted.statistics)}\n`);
  console.log(throughput(counted.invocations, counted.seconds));
  console.log(comparison("While running", check));

  const reopened = await readAgain({ directory, tasks, threads });
  const checkAgain = verify(reopened, expected);
  console.log(comparison("Closed and launched again on the same directory", checkAgain));

  const ok = check.differenceCount === 0 && checkAgain.differenceCount === 0;
  console.log(conclusion(flights.length, counted.statistics, ok));
  return ok;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(helpText);
  else process.exitCode = (await run(options)) ? 0 : 1;
} catch (error) {
  console.error(`flights: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
