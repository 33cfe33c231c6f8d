// Plan — a compiled topology as every thread knows it: numbers instead of names.
//
// Owns: the tables of stores, where tasks and threads stand. Leaves to others: compile.ts makes it,
// directory.ts keeps what of it must not change. Nothing in `PlanShape` is a function, so it
// crosses threads; `Plan` adds the declarations, which each thread gets from the topology module
// itself.

import type { ErasedUpdates, StoreDeclaration } from "../store/declaration.js";

/** A declared store as the runtime handles it, whatever its types. */
export type AnyStoreDeclaration = StoreDeclaration<unknown, unknown, ErasedUpdates>;

/** The part of a plan that is data. */
export interface PlanShape {
  readonly topology: string;
  readonly taskCount: number;
  /** Task threads; 0 when every task runs on the launching thread. */
  readonly threadCount: number;
  /** Table of each store by name: recorded in the directory, never reused. */
  readonly tables: Readonly<Record<string, number>>;
  /** Number of the range map: which keys belong to which task. 1 in a new directory. */
  readonly epoch: number;
  /** Hash of the topology's structure: every thread must find the same. */
  readonly shapeHash: string;
}

/** One store of the plan. */
export interface PlannedStore {
  readonly name: string;
  readonly table: number;
  readonly declaration: AnyStoreDeclaration;
  /** Sorted names: an update's number on the wire is its index here. */
  readonly updateNames: readonly string[];
  /** In that order. */
  readonly updates: readonly PlannedUpdate[];
}

/** One update of a store, with what errors call it: made once, not for each call. */
export interface PlannedUpdate {
  readonly name: string;
  readonly fn: ErasedUpdates[string];
  readonly whereValue: string;
  readonly whereReply: string;
}

/** The thread that hosts `task`: tasks are dealt to threads in turn. Thread 0 when inline. */
export function threadOf(plan: PlanShape, task: number): number {
  return plan.threadCount === 0 ? 0 : 1 + (task % plan.threadCount);
}

/** The tasks that `thread` hosts, ascending. */
export function tasksOf(plan: PlanShape, thread: number): readonly number[] {
  const tasks: number[] = [];
  for (let task = 0; task < plan.taskCount; task += 1) {
    if (threadOf(plan, task) === thread) tasks.push(task);
  }
  return tasks;
}
