// Payments — the world outside: a server that takes and gives back money, and a client of it.
//
// Owns: both ends of the connection, and the trouble that the server makes on purpose. Leaves to
// others: when to charge and when to void (topology.ts). The server remembers by order, so that
// both may be asked for again and again: at most one charge counts, and after a void none does.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** What the server does with one request: its work, an error, or nothing at all. */
export type Trouble = "none" | "down" | "silent";

/** Decides what happens to the n-th request to charge an order, from 1. */
export type TroublePlan = (order: string, request: number) => Trouble;

/** More than this is declined. */
export const centsMax = 50_000;

/** A running server. */
export interface PaymentServer extends AsyncDisposable {
  readonly url: string;
  /** Cents taken and not given back, by order. */
  readonly charged: ReadonlyMap<string, number>;
  /** Requests to charge, by order. */
  readonly requests: ReadonlyMap<string, number>;
}

interface Charge {
  readonly order: string;
  readonly cents: number;
}

/** Starts the server on a port of its own. */
export async function startPayments(trouble: TroublePlan): Promise<PaymentServer> {
  const charged = new Map<string, number>();
  const requests = new Map<string, number>();
  const voided = new Set<string>();

  const answer = (path: string | undefined, { order, cents }: Charge): Trouble | boolean => {
    if (path === "/void") {
      voided.add(order);
      return charged.delete(order);
    }
    const request = (requests.get(order) ?? 0) + 1;
    requests.set(order, request);
    const happens = trouble(order, request);
    if (happens !== "none") return happens;
    if (cents > centsMax || voided.has(order)) return false;
    charged.set(order, cents);
    return true;
  };
  const server = createServer((request, response) => {
    readCharge(request).then(
      (charge) => reply(response, answer(request.url, charge)),
      () => {
        response.destroy();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    charged,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply(response: ServerResponse, answer: Trouble | boolean): void {
  if (answer === "silent") return;
  response.statusCode = typeof answer === "boolean" ? 200 : 503;
  response.end(JSON.stringify(answer));
}

async function readCharge(request: IncomingMessage): Promise<Charge> {
  let text = "";
  for await (const part of request) text += String(part);
  return JSON.parse(text);
}

/** A client of the server whose address is in the environment variable PAYMENTS_URL. */
export class Payments {
  readonly #url: string;

  constructor() {
    this.#url = process.env["PAYMENTS_URL"] ?? "";
  }

  /**
   * Charges an order; `false` when that is declined.
   * @throws Error when the server is down, and whatever `signal` aborts with
   */
  async charge(order: string, cents: number, signal: AbortSignal): Promise<boolean> {
    return await this.#post("/charge", { order, cents }, signal);
  }

  /** Gives back what was charged, if anything was, and declines the order from now on. */
  async void(order: string, signal: AbortSignal): Promise<boolean> {
    return await this.#post("/void", { order, cents: 0 }, signal);
  }

  async #post(path: string, charge: Charge, signal: AbortSignal): Promise<boolean> {
    const body = JSON.stringify(charge);
    const response = await fetch(`${this.#url}${path}`, { method: "POST", body, signal });
    if (!response.ok) throw new Error(`payments: status ${response.status}`);
    return (await response.json()) === true;
  }
}
