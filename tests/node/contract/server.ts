// The contract `Chat`, generated from the server's Rust types. Do not edit.
//
// The server that the tests try TypeScript on.

/** The server asks for a new proof of identity. */
export type ReauthenticationRequest = {
  /** The time until the current proof runs out, in milliseconds. `null`: it does not run out. */
  expiresIn: number | null;
};

/** Somebody has said something. */
export type Delivered = {
  text: string;
};

/** The client is to say whether it is so. */
export type Question = {
  text: string;
};

/** The client is to say how it is. */
export type Checkup = null;

/** The client is to divide. */
export type Division = {
  dividend: number;
  divisor: number;
};

export type File = {
  name: string;
  content: ArrayBuffer;
};

/** That it was said. */
export type Receipt = {
  length: number;
};

export type Verdict = "yes" | { no: { why: string } };

/** An answer may have a field that is called `error`, and be none. */
export type Health = {
  ok: boolean;
  error: Fault;
};

export type Fault = {
  code: string;
  message: string;
};

/** What somebody says. */
export type Message = {
  /** Whom it is for: the id of a socket. */
  to: string;
  text: string;
};

/**
 * Who somebody is.
 *
 * - A *list*, with `code`
 * - and <b>no HTML</b>
 *
 * [A page](https://example.org/page), [a script](javascript:alert(1)), [a type](crate::Profile),
 * ![a picture](https://example.org/a.png)
 */
export type Profile = {
  /** Its *first* name. */
  name: string;
  email?: string | null;
  age: number;
  /** Each once. */
  tags: Array<string>;
  /**
   * No longer used.
   *
   * @deprecated
   */
  nick?: string | null;
};

/** With what a client proves its identity. */
export type Proof = {
  token: string;
};

/** The error codes of a handler. */
export type ChatErrorCode = "no_text" | "not_delivered";

/** The error codes of a handler. */
export type DeliveryErrorCode = "handler_error" | "timeout";

/** The error codes of a handler. */
export type AckErrorCode = "handler_error" | "timeout";

/** What the server emits. */
export interface ServerToClientEvents {
  /** The server asks for a new proof of identity. The client sends it as an event of the same name. */
  reauthenticate: (reauthenticationRequest: ReauthenticationRequest) => void;
  /** Somebody has said something. */
  delivered: (delivered: Delivered) => void;
  /** The client is to say whether it is so. */
  question: (question: Question, answer: (answer: Verdict | Failed<string>) => void) => void;
  /** The client is to say how it is. */
  checkup: (checkup: Checkup, answer: (answer: Health | Failed<string>) => void) => void;
  /** The client is to divide. */
  division: (
    division: Division,
    answer: (...answer: [number, number] | [Failed<string>]) => void,
  ) => void;
  file: (file: File) => void;
}

/** What clients send. */
export interface ClientToServerEvents {
  /** Says something to somebody. */
  message: (message: Message, ack: (answer: Receipt | Failed<ChatErrorCode>) => void) => void;
  /** Says something to oneself. */
  echo: (text: string, ack?: (failed?: Failed<"handler_error">) => void) => void;
  /** Says something to oneself, and answers when that was acked. */
  deliver: (text: string, ack?: (failed?: Failed<DeliveryErrorCode>) => void) => void;
  sum: (
    first: number,
    second: number | null | undefined,
    ack: (answer: number | Failed) => void,
  ) => void;
  split: (text: string, ack: (...answer: [string, number] | [Failed]) => void) => void;
  checked: (number: number, ack: (answer: boolean | Failed) => void) => void;
  later: (text: string, ack: (...answer: any[]) => void) => void;
  /** Asks the client, and tells what it has answered. */
  ask: (text: string, ack: (answer: Verdict | Failed<AckErrorCode>) => void) => void;
  /** Asks the client how it is, and tells what it has answered. */
  examine: (ack: (answer: Health | Failed<AckErrorCode>) => void) => void;
  /** Has the client divide, and tells quotient and remainder. */
  divide: (
    dividend: number,
    divisor: number,
    ack: (...answer: [number, number] | [Failed<AckErrorCode>]) => void,
  ) => void;
  /** Sends the file back, and answers with its content. */
  upload: (
    file: Sendable<File>,
    ack: (answer: ArrayBuffer | Failed<"handler_error">) => void,
  ) => void;
  /**
   * Takes **any** profile.
   *
   * The rules of the type are for people.
   *
   * @deprecated use `message`
   */
  profile: (profile: Profile, ack: (answer: number | Failed) => void) => void;
  /** Counts, and tells how often that was done. */
  count: (ack: (answer: number | Failed) => void) => void;
  /** Proves the identity of the client again. Answers with the length of the token. */
  reauthenticate: (proof: Proof, ack: (answer: number | Failed<ChatErrorCode>) => void) => void;
  /** Has the server ask for a new proof, and tells the token of the last one. */
  prove: (ack: (answer: string | null | Failed<"handler_error">) => void) => void;
  /** The proof of identity has run out. */
  expire: (ack?: (failed?: Failed) => void) => void;
}

/** The same events as functions: from an event's arguments to the answer that means success. */
export interface ClientToServerRequests {
  message: (message: Message) => Receipt;
  echo: (text: string) => void;
  deliver: (text: string) => void;
  sum: (first: number, second?: number | null) => number;
  split: (text: string) => [string, number];
  checked: (number: number) => boolean;
  later: (text: string) => any;
  ask: (text: string) => Verdict;
  examine: () => Health;
  divide: (dividend: number, divisor: number) => [number, number];
  upload: (file: Sendable<File>) => ArrayBuffer;
  profile: (profile: Profile) => number;
  count: () => number;
  reauthenticate: (proof: Proof) => number;
  prove: () => string | null;
  expire: () => void;
}

/**
 * What the server emits, in the namespace `/admin`.
 *
 * For those who may.
 */
export interface AdminServerToClientEvents {}

/**
 * What clients send, in the namespace `/admin`.
 *
 * For those who may.
 */
export interface AdminClientToServerEvents {
  restart: (inSeconds: number, ack: (answer: number | Failed) => void) => void;
}

/** The same events as functions: from an event's arguments to the answer that means success. */
export interface AdminClientToServerRequests {
  restart: (inSeconds: number) => number;
}

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

/** The type that clients may send where they would receive an `ArrayBuffer`. */
export type Sendable<T> = WithBytes<T, ArrayBuffer | BytesView | globalThis.Blob>;

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

/** A new proof of identity. */
export type ProofOfIdentity = ArgumentsOf<ClientToServerRequests["reauthenticate"]>[0];

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
  /**
   * Returns a new proof of identity. It is called when the server asks for one, some time before
   * the old one runs out, and the result is sent as the event `reauthenticate`. Without it, or if it
   * fails, the server ends the connection when the old one has run out.
   */
  auth?: () => ProofOfIdentity | globalThis.Promise<ProofOfIdentity>;
  /** Called if `auth` has failed, or the server refused what it returned. */
  onAuthError?: (error: unknown) => void;
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
  const reauthenticate = async (auth: () => unknown) => {
    try {
      await (client.request as any)("reauthenticate", await auth());
    } catch (error) {
      options.onAuthError?.(error);
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
      if (message?.event === "reauthenticate" && options.auth) void reauthenticate(options.auth);
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

  const client: Client<Listen, Requests> = {
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
  return client;
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
export function request<E extends keyof AdminClientToServerRequests & string>(
  socket: Sender<E, ArgumentsOf<AdminClientToServerEvents[E]>>,
  event: E,
  ...args: ArgumentsOf<AdminClientToServerRequests[E]>
): globalThis.Promise<AnswerTo<AdminClientToServerRequests[E]>>;
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

/**
 * Sends a new proof of identity over a socket of `socket.io-client` when the server asks for one,
 * some time before the old one runs out. `auth` returns it. `onError` is called if `auth` has failed,
 * or the server refused what it returned. Returns a function that stops this.
 */
export function reauthenticate<P extends ArgumentsOf<ClientToServerRequests["reauthenticate"]>[0]>(
  socket: AskedSocket & Sender<"reauthenticate", ArgumentsOf<ClientToServerEvents["reauthenticate"]>>,
  auth: () => P | globalThis.Promise<P>,
  onError?: (error: unknown) => void,
): () => void;
export function reauthenticate(socket: any, auth: () => any, onError?: (error: unknown) => void): () => void {
  const answer = async () => {
    try {
      await request(socket, "reauthenticate", await auth());
    } catch (error) {
      onError?.(error);
    }
  };
  socket.on("reauthenticate", answer);
  return () => void socket.off("reauthenticate", answer);
}

/** A socket of `socket.io-client` that the server asks. */
interface AskedSocket {
  on(event: "reauthenticate", listener: (...asked: any[]) => void): unknown;
  off(event: "reauthenticate", listener: (...asked: any[]) => void): unknown;
}
