
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
