// Message kinds — the first byte of every message that a task is sent on behalf of agents: one
// table, so that none is given twice.

export const messageKinds = {
  // message.ts
  initiate: 1,
  run: 2,
  completed: 3,
  ack: 4,
  await: 5,
  forget: 6,
  collect: 7,
  // poison-message.ts
  mark: 17,
  bury: 18,
  replay: 19,
  revive: 20,
  revived: 21,
  discard: 22,
  letters: 23,
  // stream-message.ts
  chunks: 32,
  follow: 33,
  streams: 34,
  // metadata-message.ts
  metadata: 35,
  // trace-message.ts
  trace: 36,
  // attempt-message.ts
  failed: 40,
  fence: 41,
  giveUp: 42,
  lift: 43,
  cancel: 44,
  update: 45,
  // wait-message.ts
  wait: 64,
  settle: 65,
  due: 66,
  rest: 67,
  deliver: 68,
  outcome: 69,
  childAsked: 70,
  childClosed: 71,
  // question-message.ts
  asked: 80,
  closed: 81,
  answer: 82,
  answered: 83,
  withdrawn: 84,
  attach: 85,
  begin: 86,
  step: 87,
  questions: 88,
} as const;
