// The contract `Daily`, generated from the server's Rust types. Do not edit.
//
// What happens every day.

/** Something has happened. */
export type News = {
  headline: string;
  /** The more, the more important. */
  weight: number | null;
};

export type Sure = {
  what: string;
};

export type Picture = {
  bytes: ArrayBuffer;
};

export type Load = number;

export type Said = {
  saidBy: string;
  text: string;
};

/** What the server emits. */
export interface ServerToClientEvents {
  /** Something has happened. */
  news: (news: News) => void;
  "sure?": (sure: Sure, answer: (answer: boolean | Failed<string>) => void) => void;
  picture: (picture: Picture) => void;
}

/** What clients send. */
export interface ClientToServerEvents {
  join: (room: string, ack?: (failed?: Failed<"handler_error">) => void) => void;
}

/** The same events as functions: from an event's arguments to the answer that means success. */
export interface ClientToServerRequests {
  join: (room: string) => void;
}

/** What the server emits, in the namespace `/admin`. */
export interface AdminServerToClientEvents {
  load: (load: Load) => void;
  /** Something has happened. */
  news: (news: News) => void;
}

/** What clients send, in the namespace `/admin`. */
export interface AdminClientToServerEvents {}

/** The same events as functions: from an event's arguments to the answer that means success. */
export interface AdminClientToServerRequests {}

/** What the server emits, in the namespace `/room-{id}`. */
export interface RoomIdServerToClientEvents {
  said: (said: Said) => void;
}

/** What clients send, in the namespace `/room-{id}`. */
export interface RoomIdClientToServerEvents {}

/** The same events as functions: from an event's arguments to the answer that means success. */
export interface RoomIdClientToServerRequests {}

/** What the server emits, in the namespace `/silent`. */
export interface SilentServerToClientEvents {}

/** What clients send, in the namespace `/silent`. */
export interface SilentClientToServerEvents {}

/** The same events as functions: from an event's arguments to the answer that means success. */
export interface SilentClientToServerRequests {}

/** The error codes that any event can be answered with. */
export type FrameworkCode =
  | "invalid_payload"
  | "unknown_event"
  | "reserved_event"
  | "rate_limited"
  | "unanswered"
  | "timeout"
  | "internal";

/** The error of an event. `Code` is the union of its handler's own codes. */
export interface EventError<Code extends string = never> {
  code: Code | FrameworkCode;
  message: string;
  /** The position of the invalid argument, counted from 0. */
  argument?: number;
  /** The invalid field of the payload, such as `user.age`. */
  path?: string;
  data?: unknown;
}

/** The error answer, which replaces the reply if the event fails. */
export interface Failed<Code extends string = never> {
  error: EventError<Code>;
}

/** A typed array or a `DataView`. Payloads are JSON, so none of them has the symbol as a key. */
type BytesView = globalThis.ArrayBufferView & { readonly [globalThis.Symbol.toStringTag]: string };
/** The type `T` with its binary data replaced by `Bytes`. */
type WithBytes<T, Bytes> = [HasNoBytes<T>] extends [never] ? ReplaceBytes<T, Bytes> : T;
type ReplaceBytes<T, Bytes> = T extends (...args: infer A) => infer R
  ? (...args: EachWithBytes<A, Bytes>) => WithBytes<R, Bytes>
  : T extends ArrayBuffer | BytesView | globalThis.Blob
    ? Bytes
    : T extends unknown[]
      ? number extends T["length"] ? ArrayWithBytes<T[number], Bytes> : EachWithBytes<T, Bytes>
      : T extends object ? EachWithBytes<T, Bytes> : T;
type EachWithBytes<T, Bytes> = { [K in keyof T]: WithBytes<T[K], Bytes> };
interface ArrayWithBytes<T, Bytes> extends Array<WithBytes<T, Bytes>> {}
/** Recursive types without binary data, which are not mapped. */
type HasNoBytes<T> = IsSame<T, any>;
type IsSame<T, U> = (<X>() => X extends T ? 1 : 2) extends <X>() => X extends U ? 1 : 2 ? true : never;

type InEnvelope<T> = WithBytes<T, string>;

/** The arguments of an event, and its answer. */
type ArgumentsOf<F> = F extends (...args: infer A) => unknown ? A : never;
type AnswerTo<F> = F extends (...args: never) => infer R ? R : never;

/** The server answered an event with an error, or did not answer it. */
export class RequestError extends Error {
  readonly code: string;
  readonly argument: number | undefined;
  readonly path: string | undefined;
  readonly data: unknown;

  constructor({ code, message, argument, path, data }: EventError<string>) {
    super(message);
    this.name = "RequestError";
    this.code = code;
    this.argument = argument;
    this.path = path;
    this.data = data;
  }
}

export interface ConnectOptions {
  /** Called after each connect and reconnect. Events that are sent here precede the queued ones. */
  onOpen?: () => void;
  /**
   * Called when the connection has ended. The client reconnects, unless this returns `false`, the
   * server refused the client, or `close()` was called.
   */
  onClose?: (event: globalThis.CloseEvent) => boolean | void;
  /**
   * Whether the client resumes its session when it reconnects, and receives the events that it has
   * missed. The server needs `HubBuilder::recovery`. Default: no.
   */
  resume?: boolean;
  /**
   * With `resume`, called when the server has told whether the client has resumed its session. If
   * not, events may be missing since the last connection, if there was one.
   */
  onSession?: (recovered: boolean) => void;
  /**
   * The time limit for an answer, in milliseconds. Default: 30,000. The longest is 2,147,483,647,
   * about 24 days, and `Infinity` means the same.
   */
  timeout?: number;
}

export interface Client<in out Listen, in out Requests> {
  /**
   * Listens to an event. If the server expects an answer, the last argument is a function that
   * sends it. Returns a function that removes the listener.
   *
   * An event that the server emits with `reliable` is heard once, and acked when all its listeners
   * have returned. As long as nobody listens to it, it is not acked, and the server repeats it.
   */
  on<E extends keyof Listen & string>(event: E, listener: InEnvelope<Listen[E]>): () => void;
  /** Sends an event. Without a connection, it is queued for the next one. */
  emit<E extends keyof Requests & string>(event: E, ...args: ArgumentsOf<InEnvelope<Requests[E]>>): void;
  /** Sends an event and waits for its answer. Rejects with a `RequestError`. */
  request<E extends keyof Requests & string>(
    event: E,
    ...args: ArgumentsOf<InEnvelope<Requests[E]>>
  ): globalThis.Promise<AnswerTo<InEnvelope<Requests[E]>>>;
  /** Closes the connection and does not reconnect. */
  close(): void;
}

/** The longest time of a timer, in milliseconds. A longer one would end at once. */
const longest = 2 ** 31 - 1;

/** How many ids of reliable events a client remembers, to tell repetitions. */
const remembered = 10_000;

/** The error, if it is the only field of the answer. Other answers may also have a field `error`. */
function failure(answer: any[]): EventError<string> | undefined {
  const error = answer[0]?.error;
  const isAlone = answer.length === 1 && Object.keys(answer[0] ?? {}).length === 1;
  return isAlone && typeof error?.code === "string" && typeof error.message === "string" ? error : undefined;
}

/**
 * Connects to the server's route for plain WebSockets, and reconnects until `close()`. It needs only
 * a global `WebSocket`.
 */
export function connect<Listen = ServerToClientEvents, Requests = ClientToServerRequests>(
  url: string | globalThis.URL,
  options: ConnectOptions = {},
): Client<Listen, Requests> {
  type Message = {
    event?: string;
    id?: unknown;
    data?: unknown;
    args?: unknown[];
    error?: EventError<string>;
    offset?: unknown;
    delivery?: string;
  };
  type Waiting = { resolve: (answer: any) => void; reject: (error: RequestError) => void };
  const listeners = new Map<string, globalThis.Set<(...args: any[]) => void>>();
  const waiting = new Map<unknown, Waiting>();
  let queue: Message[] = [];
  let socket: globalThis.WebSocket;
  let lastId = 0;
  let attempts = 0;
  let closed = false;
  let token: string | undefined;
  let offset: unknown;
  const deliveries = new globalThis.Set<string>();

  const body = (args: unknown[]) => (args.length === 1 ? { data: args[0] } : { args });
  const send = (message: Message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    else if (!closed) queue.push(message);
  };
  const settle = ({ id, data, args, error }: Message) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error) reject?.(new RequestError(error));
    else resolve?.(args ? (args.length > 0 ? args : undefined) : data);
  };
  const hear = ({ event = "", id, data, args, delivery }: Message) => {
    const asked = socket;
    const answer = (...values: any[]) => {
      const error = failure(values);
      // The server awaits no answers to the events of a lost connection.
      if (asked.readyState === WebSocket.OPEN) asked.send(JSON.stringify(error ? { id, error } : { id, ...body(values) }));
    };
    const heard = listeners.get(event);
    if (delivery === undefined) {
      const passed = [...(args ?? [data]), ...(id === undefined ? [] : [answer])];
      return heard?.forEach((listener) => listener(...passed));
    }
    // The server repeats it until somebody has heard it.
    if (!heard?.size) return;
    try {
      if (deliveries.has(delivery)) return;
      deliveries.add(delivery);
      const [oldest] = deliveries;
      if (deliveries.size > remembered) deliveries.delete(oldest!);
      heard.forEach((listener) => listener(...(args ?? [data])));
    } finally {
      answer();
    }
  };
  // Rejects sent requests. Queued requests are rejected only if there is no next connection.
  const end = (message: string) => {
    if (closed) queue = [];
    for (const id of [...waiting.keys()].filter((id) => !queue.some((message) => message.id === id))) {
      settle({ id, error: { code: "closed", message } });
    }
  };

  const open = () => {
    const resume = `${String(url).includes("?") ? "&" : "?"}resume=${token === undefined ? "1" : "token"}`;
    socket = new WebSocket(options.resume ? url + resume : url);
    let awaitsSession = options.resume === true;
    socket.onopen = () => {
      attempts = 0;
      // The first message, which the server awaits.
      if (token !== undefined) socket.send(JSON.stringify({ resume: { token, offset } }));
      options.onOpen?.();
      queue.splice(0).forEach(send);
    };
    socket.onmessage = ({ data }) => {
      let message: Message | null = null;
      try {
        message = JSON.parse(data);
      } catch {
        // The message is not an envelope.
      }
      if (awaitsSession && message?.event === "session") {
        const { recovered, ...session } = message.data as { token: string; recovered: boolean };
        awaitsSession = false;
        token = session.token;
        if (!recovered) offset = undefined;
        return options.onSession?.(recovered);
      }
      if (message?.offset !== undefined) offset = message.offset;
      if (typeof message?.event === "string") hear(message);
      else if (message && message.id !== undefined) settle(message);
    };
    let hasEnded = false;
    const ended = (event: globalThis.CloseEvent) => {
      if (hasEnded) return;
      hasEnded = true;
      // 1008: the server refused the client and would refuse it again.
      const isWanted = options.onClose?.(event) !== false;
      closed ||= !isWanted || event.code === 1008;
      end(event.reason || "the connection was lost");
      const wait = Math.min(10_000, 250 * 2 ** attempts++) * (0.5 + Math.random() / 2);
      if (!closed) setTimeout(() => closed || open(), wait);
    };
    socket.onclose = ended;
    // Some versions of Node fire no `close` event if the connection was never open.
    const failed = { code: 1006, reason: "", wasClean: false } as globalThis.CloseEvent;
    socket.onerror = () => setTimeout(() => ended(failed), 100);
  };
  open();

  return {
    on(event, listener) {
      const heard = listeners.get(event) ?? new Set();
      listeners.set(event, heard.add(listener as (...args: any[]) => void));
      return () => void heard.delete(listener as (...args: any[]) => void);
    },
    emit(event, ...args) {
      send({ event, ...body(args as unknown[]) });
    },
    request(event, ...args) {
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        const error = { code: "timeout", message: "the server did not answer in time" };
        const timer = setTimeout(() => {
          queue = queue.filter((message) => message.id !== id);
          settle({ id, error });
        }, Math.min(options.timeout ?? 30_000, longest));
        const done = <T>(settled: (value: T) => void) => (value: T) => (clearTimeout(timer), settled(value));
        waiting.set(id, { resolve: done(resolve), reject: done(reject) });
        if (closed) settle({ id, error: { code: "closed", message: "the connection is closed" } });
        else send({ event, id, ...body(args as unknown[]) });
      });
    },
    close() {
      closed = true;
      socket.close(1000);
      // Between two connections, no `close` event follows.
      if (socket.readyState === WebSocket.CLOSED) end("the connection is closed");
    },
  };
}

/**
 * Sends an event over a socket of `socket.io-client`, and waits for its answer. Rejects with a
 * `RequestError`, whose code is that of the server's error, or `timeout` or `closed`. The time
 * limit is the option `ackTimeout` of the socket's manager. Default: 30,000 ms.
 */
export function request<E extends keyof ClientToServerRequests & string>(
  socket: Sender<E, ArgumentsOf<ClientToServerEvents[E]>>,
  event: E,
  ...args: ArgumentsOf<ClientToServerRequests[E]>
): globalThis.Promise<AnswerTo<ClientToServerRequests[E]>>;
export function request(socket: Sender<string, any[]>, event: string, ...args: unknown[]): globalThis.Promise<any> {
  return new Promise((resolve, reject) => {
    const answered = (failed: globalThis.Error | null, ...answer: unknown[]) => {
      const code = failed?.message === "socket has been disconnected" ? "closed" : "timeout";
      const error = failed ? { code, message: failed.message } : failure(answer);
      if (error) reject(new RequestError(error));
      else resolve(answer.length > 1 ? answer : answer[0]);
    };
    const { ackTimeout = 30_000 } = socket.io.opts as { ackTimeout?: number };
    socket.timeout(Math.min(ackTimeout, longest)).emit(event, ...args, answered);
  });
}

/** A socket of `socket.io-client` that can send the event `E`. */
interface Sender<E, A extends unknown[]> {
  readonly emit: (event: E, ...args: A) => unknown;
  timeout(limit: number): { emit(event: any, ...args: any[]): unknown };
  readonly io: { readonly opts: object };
}
