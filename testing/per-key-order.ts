// Per-key order — whether each sender's messages to a key were applied in order, all of them, once.
//
// The sender numbers what it sends to a key: 1, 2, 3… The events are in the order in which they
// were applied.
//
// Rules (`Violation.rule`):
//   reordered   A number came after a higher one.
//   duplicate   A number came twice.
//   gap         A number between others never came.
//   lost        Something that was acknowledged never came.

import { checkOptionNames, optionInvalid } from "../base/options.js";
import { show } from "../base/show.js";
import { assertHolds, Findings, type Verdict, violationsKept } from "./verdict.js";

/** One message, as its receiver applied it. */
export interface OrderedEvent {
  readonly sender: string;
  readonly key: string;
  /** 1, 2, 3… for each sender and key. */
  readonly number: number;
}

/** Options of `checkPerKeyOrder`. */
export interface PerKeyOrderOptions {
  /**
   * What the senders know to be applied. Without it, messages that are missing at the end of a
   * sender's row cannot be noticed.
   */
  readonly acknowledged?: Iterable<OrderedEvent>;
  /** The last number before the events, for each `[sender, key]` that had one. Default: 0. */
  readonly after?: (sender: string, key: string) => number;
  /** Violations that are kept; the rest are only counted. Default 20. */
  readonly violationsMax?: number;
}

/** What came of one sender for one key. */
interface Row {
  /** The highest number that came. */
  last: number;
  /** The event that brought it. */
  lastEvent: OrderedEvent | undefined;
  /** Lower numbers that did not come, as ranges [first, last], each with the event behind it. */
  readonly missing: { first: number; last: number; readonly before: OrderedEvent }[];
}

/**
 * Checks that each sender's events for each key have the numbers 1, 2, 3… in this order: no gap, no
 * duplicate, no reordering. Linear time.
 * @throws PartitaError OPTION_INVALID for a number that is not a whole one of at least 1,
 *   OPTION_UNKNOWN
 */
export function checkPerKeyOrder(
  events: Iterable<OrderedEvent>,
  options: PerKeyOrderOptions = {},
): Verdict<OrderedEvent> {
  checkOptionNames("checkPerKeyOrder", options, ["acknowledged", "after", "violationsMax"]);
  const { acknowledged = [], after = () => 0, violationsMax = violationsKept } = options;
  if (!Number.isSafeInteger(violationsMax) || violationsMax < 1) {
    const valid = "a whole number of at least 1";
    throw optionInvalid("checkPerKeyOrder", "violationsMax", violationsMax, valid);
  }
  const found = new Findings<OrderedEvent>(violationsMax);
  const senders = new Map<string, Map<string, Row>>();
  const rowOf = ({ sender, key }: OrderedEvent): Row => {
    const ofSender = senders.get(sender) ?? new Map<string, Row>();
    senders.set(sender, ofSender);
    const row = ofSender.get(key) ?? {
      last: after(sender, key),
      lastEvent: undefined,
      missing: [],
    };
    ofSender.set(key, row);
    return row;
  };
  let checked = 0;
  for (const event of events) {
    assertNumber("events", checked, event);
    checked += 1;
    apply(rowOf(event), event, found);
  }
  for (const ofSender of senders.values()) for (const row of ofSender.values()) gaps(row, found);
  let index = 0;
  for (const event of acknowledged) {
    assertNumber("acknowledged", index, event);
    index += 1;
    const { last, missing } = rowOf(event);
    const { number } = event;
    const isMissing = missing.some((range) => number >= range.first && number <= range.last);
    if (number <= last && !isMissing) continue;
    found.add("lost", [event], () => `${shown(event)} was acknowledged and never applied`);
  }
  return found.verdict(checked);
}

/**
 * `checkPerKeyOrder` for a test.
 * @throws AssertionError (node:assert) with a sentence for each violation
 * @throws PartitaError as `checkPerKeyOrder`
 */
export function assertPerKeyOrder(
  events: Iterable<OrderedEvent>,
  options: PerKeyOrderOptions = {},
): void {
  assertHolds("not in order", checkPerKeyOrder(events, options));
}

function apply(row: Row, event: OrderedEvent, found: Findings<OrderedEvent>): void {
  const { number } = event;
  const { last, lastEvent } = row;
  if (number > last) {
    if (number > last + 1) row.missing.push({ first: last + 1, last: number - 1, before: event });
    row.last = number;
    row.lastEvent = event;
    return;
  }
  const index = row.missing.findIndex((range) => number >= range.first && number <= range.last);
  const range = row.missing[index];
  if (range === undefined) {
    found.add("duplicate", [event], () => `${shown(event)} was applied again`);
    return;
  }
  const rest = [
    { ...range, last: number - 1 },
    { ...range, first: number + 1 },
  ].filter((part) => part.first <= part.last);
  row.missing.splice(index, 1, ...rest);
  found.add("reordered", lastEvent === undefined ? [event] : [lastEvent, event], () => {
    return `${shown(event)} was applied after number ${last}`;
  });
}

function gaps({ missing }: Row, found: Findings<OrderedEvent>): void {
  for (const { first, last, before } of missing) {
    const range = first === last ? `number ${first}` : `numbers ${first} to ${last}`;
    found.add("gap", [before], () => `${shown(before)} was applied, but ${range} never was`);
  }
}

function assertNumber(list: string, index: number, { number }: OrderedEvent): void {
  if (Number.isSafeInteger(number) && number >= 1) return;
  const valid = "a whole number of at least 1";
  throw optionInvalid("checkPerKeyOrder", `${list}[${index}].number`, number, valid);
}

function shown({ sender, key, number }: OrderedEvent): string {
  return `number ${number} of ${show(sender)} for key ${show(key)}`;
}
