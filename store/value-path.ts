// Value path — where in a value something is: `$.a[3].b`, for errors that name the offender.

import { show } from "../base/show.js";

/** How one step leads from a container to what is in it. */
export const step = {
  property: 0,
  index: 1,
  /** The value under a Map's key; the step is the key. */
  mapValue: 2,
  /** A Map's key; the step is its position. */
  mapKey: 3,
  /** An element of a Set; the step is its position. */
  element: 4,
  /** What the `encode` of a registered class gave; the step is the class's name. */
  payload: 5,
} as const;

export type StepKind = (typeof step)[keyof typeof step];

const plainName = /^[A-Za-z_$][\w$]*$/;
const shownCharactersMax = 240;
const shownTailCharacters = 80;

/** One step as text, to be put behind the path of its container. */
export function stepText(kind: StepKind, key: unknown): string {
  switch (kind) {
    case step.property:
      return typeof key === "string" && plainName.test(key) ? `.${key}` : `[${show(key)}]`;
    case step.index:
      return `[${String(key)}]`;
    case step.mapValue:
      return `.get(${show(key)})`;
    case step.mapKey:
      return `.keys()[${String(key)}]`;
    case step.element:
      return `.values()[${String(key)}]`;
    case step.payload:
      return `.(${String(key)} encoded)`;
  }
}

/** A whole path; the middle of a very long one is left out. */
export function pathText(steps: readonly string[]): string {
  const path = `$${steps.join("")}`;
  if (path.length <= shownCharactersMax) return path;
  const head = path.slice(0, shownCharactersMax - shownTailCharacters);
  return `${head}…${path.slice(-shownTailCharacters)}`;
}
