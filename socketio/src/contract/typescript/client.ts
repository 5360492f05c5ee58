type InEnvelope<T> = T;

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

// if reauthenticate
/** A new proof of identity. */
export type ProofOfIdentity = ArgumentsOf<ClientToServerRequests["reauthenticate"]>[0];

// end
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
  // if reauthenticate
  /**
   * Returns a new proof of identity. It is called when the server asks for one, some time before
   * the old one runs out, and the result is sent as the event `reauthenticate`. Without it, or if it
   * fails, the server ends the connection when the old one has run out.
   */
  auth?: () => ProofOfIdentity | globalThis.Promise<ProofOfIdentity>;
  /** Called if `auth` has failed, or the server refused what it returned. */
  onAuthError?: (error: unknown) => void;
  // end
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
  // if reauthenticate
  const reauthenticate = async (auth: () => unknown) => {
    try {
      await (client.request as any)("reauthenticate", await auth());
    } catch (error) {
      options.onAuthError?.(error);
    }
  };
  // end
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
      // if reauthenticate
      if (message?.event === "reauthenticate" && options.auth) void reauthenticate(options.auth);
      // end
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

  // if reauthenticate
  const client: Client<Listen, Requests> = {
  // else
  return {
  // end
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
  // if reauthenticate
  return client;
  // end
}
