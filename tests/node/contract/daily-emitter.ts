// Emits the events of the contract `Daily` over HTTP, from back-ends. Generated from the server's Rust types. Do not edit.

import type { ServerToClientEvents, AdminServerToClientEvents, RoomIdServerToClientEvents } from "./daily";

/** The payloads of events. */
type Payloads<Events, E extends keyof Events> = {
  [K in E]: Events[K] extends (payload: infer P, ...rest: any[]) => unknown ? P : never;
};

/** The events that a back-end can emit in the namespace `/`. */
export type Emits = Payloads<ServerToClientEvents, "news">;

/** The events that a back-end can emit in the namespace `/admin`. */
export type AdminEmits = Payloads<AdminServerToClientEvents, "load" | "news">;

/** The events that a back-end can emit in the namespace `/room-{id}`. */
export type RoomIdEmits = Payloads<RoomIdServerToClientEvents, "said">;

/** Why an event was not emitted. `status` is 0 if the server could not be reached. */
export class EmitError extends Error {
  override readonly name = "EmitError";

  constructor(
    readonly status: number,
    /** What is wrong: that of the server's answer, or `unreachable`. */
    readonly code: string,
    message: string,
    /** The part of the request that is wrong, as a JSON pointer. */
    readonly pointer?: string,
  ) {
    super(message);
  }
}

export interface EmitterOptions {
  /** The bearer token, or a function that returns it for each request. */
  token: string | (() => string | Promise<string>);
  /** How often a request is repeated that may succeed later. It has one idempotency key. Default: 2. */
  retries?: number;
  /** The time limit of each request, in milliseconds. Default: 10,000. */
  timeout?: number;
  /** Default: `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch;
}

export interface EmitOptions {
  /** Requests with the same key and event emit once. Default: a random one. */
  idempotencyKey?: string;
}

/** The answer to an emit. */
export interface EmitResult {
  /** The id of the emit, which the server logs. */
  id: string;
  /** Whether an earlier request with the key has emitted the event. */
  replayed: boolean;
}

interface Selected {
  namespace: string;
  rooms?: readonly string[];
  except?: readonly string[];
  volatile?: boolean;
}

/** The statuses of answers after which a request is repeated. */
const transient = [408, 409, 429, 502, 503, 504];

/** Some sockets of a namespace. */
export class Selection<Events> {
  constructor(
    protected readonly url: string,
    protected readonly options: EmitterOptions,
    protected readonly selected: Selected,
  ) {}

  private with(selected: Partial<Selected>): Selection<Events> {
    return new Selection(this.url, this.options, { ...this.selected, ...selected });
  }

  /** Adds the members of rooms. The id of a socket is a room. Without any room, nothing can be emitted. */
  to(...rooms: string[]): Selection<Events> {
    return this.with({ rooms: [...(this.selected.rooms ?? []), ...rooms] });
  }

  /** Leaves out the members of rooms. */
  except(...rooms: string[]): Selection<Events> {
    return rooms.length === 0 ? this : this.with({ except: [...(this.selected.except ?? []), ...rooms] });
  }

  /** Clients that can't receive the event now miss it. */
  volatile(): Selection<Events> {
    return this.with({ volatile: true });
  }

  /**
   * Emits an event. Resolves when the server has queued it for its clients and for other servers,
   * and rejects with an `EmitError`.
   */
  async emit<E extends keyof Events & string>(event: E, payload: Events[E], options: EmitOptions = {}): Promise<EmitResult> {
    const { token, retries = 2, timeout = 10_000, fetch = globalThis.fetch } = this.options;
    const key = options.idempotencyKey ?? globalThis.crypto.randomUUID();
    const body = JSON.stringify({ ...this.selected, event, args: [payload] });
    for (let attempt = 0; ; attempt += 1) {
      let error: EmitError;
      try {
        const headers = {
          authorization: `Bearer ${typeof token === "string" ? token : await token()}`,
          "content-type": "application/json",
          "idempotency-key": `"${key}"`,
        };
        const response = await fetch(this.url, { method: "POST", headers, body, signal: AbortSignal.timeout(timeout) });
        const answer = (await response.json().catch(() => ({}))) as { id?: string; code?: string; detail?: string; pointer?: string };
        if (response.ok && answer.id !== undefined) {
          return { id: answer.id, replayed: response.headers.get("idempotency-replayed") === "true" };
        }
        error = new EmitError(response.status, answer.code ?? "unknown", answer.detail ?? response.statusText, answer.pointer);
        if (!transient.includes(response.status)) throw error;
      } catch (failed) {
        if (failed instanceof EmitError) throw failed;
        error = new EmitError(0, "unreachable", String(failed));
      }
      if (attempt >= retries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt * (1 + Math.random())));
    }
  }
}

/** Emits to the clients of a server over HTTP. It selects the namespace `/`. */
export class Emitter extends Selection<Emits> {
  /** `url` is that of the server's route, such as `https://chat.example/emit`. */
  constructor(url: string, options: EmitterOptions) {
    super(url, options, { namespace: "/" });
  }

  /** Selects a namespace. */
  of(path: "/"): Selection<Emits>;
  of(path: "/admin"): Selection<AdminEmits>;
  of(path: `/room-${string}`): Selection<RoomIdEmits>;
  of(path: string): Selection<any> {
    return new Selection(this.url, this.options, { namespace: path });
  }
}
