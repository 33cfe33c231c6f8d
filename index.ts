// Partita's public surface: everything a user imports, by name.

export { agent, type AgentDeclaration } from "./agents/agent.js";
export type { AgentClient, InvokeOptions } from "./agents/client/client.js";
export type { ForkChanges, ForkOptions } from "./agents/client/fork-client.js";
export type { HumanQuestion, Invocation, NextStep } from "./agents/client/invocation.js";
export type {
  NestedOperation,
  NodeTrace,
  TracedEmit,
  TracedGather,
} from "./agents/client/trace.js";
export type {
  ChunkEvent,
  ChunkStream,
  StreamCompletedEvent,
  StreamEvent,
  StreamResetEvent,
} from "./agents/client/stream.js";
export type { Metadata, MetadataChanges, MetadataValue } from "./agents/declare/metadata.js";
export type { NodeContext } from "./agents/declare/context.js";
export type {
  DeadLetter,
  DeadLetterClient,
  DeadLetterListOptions,
} from "./agents/client/dead-letter-client.js";
export type {
  NeighbourAgentClient,
  NeighbourInvocation,
  NeighbourInvokeOptions,
} from "./agents/client/neighbour-client.js";
export { type AgentRef, agentRef, type NeighbourAgentRef } from "./agents/declare/agent-ref.js";
export {
  accumulate,
  type Aggregator,
  combine,
  type Finished,
  finished,
  multi,
} from "./agents/declare/aggregator.js";
export {
  and,
  first,
  last,
  list,
  map,
  max,
  mergeMap,
  min,
  multiSet,
  or,
  set,
  sum,
} from "./agents/declare/aggregators.js";
export { node, type NodeDeclaration } from "./agents/declare/node.js";
export { type BuildContext, object, type ObjectDeclaration } from "./agents/declare/object.js";
export { type StoreRef, storeRef } from "./agents/declare/store-ref.js";
export {
  gather,
  type GatherDeclaration,
  scatter,
  type ScatterDeclaration,
} from "./agents/declare/scatter-gather.js";
export type { ErrorDetails, PartitaErrorCode } from "./base/errors.js";
export { PartitaError } from "./base/errors.js";
export { launch, type Runtime, type RuntimeStats } from "./launch.js";
export { callId } from "./runtime/call-id.js";
export type { IdOptions, LaunchOptions, MailboxOptions } from "./runtime/cluster-options.js";
export type { ComputeOptions } from "./runtime/compute-call.js";
export type { OperationType } from "./agents/wire/node-trace.js";
export { topology, type Topology } from "./runtime/topology.js";
export { instanceOf } from "./store/class-registry.js";
export {
  keyValueStore,
  type Reply,
  reply,
  type StoreDeclaration,
  type Updates,
} from "./store/declaration.js";
export { bigint, boolean, bytes, integer, string, uuid } from "./store/key.js";
export type { KeyCodec, KeyPrefix } from "./store/key-form.js";
export type {
  EntriesOptions,
  KeyValueStore,
  ModifyOptions,
  OnceKeyValueStore,
  ReadOnlyKeyValueStore,
} from "./store/key-value-store.js";
export { type Schema, type } from "./store/schema.js";
export type { Durability } from "./store/task-storage.js";
export { type DynamicKey, tuple } from "./store/tuple-key.js";
