// A connection to a server: over a plain WebSocket, or to a server on Node.js by socket.io-client.
//
// `credentials` returns what to connect with: { name, key }. `handlers` has `opened()`, `lost()`,
// `refused(reason)`, and `received(event, payload)`. After `lost` and `refused` it tries again.

// How long an answer may take, in milliseconds.
const ANSWER_WITHIN = 15_000;
// How long to wait after a refusal, and at most after a lost connection, in milliseconds.
const AGAIN = 250;
const LONGEST = 4_000;

// Returns an object with `request(event, payload)`, which resolves with the answer, and
// `emit(event, payload)`, which has none.
export function connect({ url, isNode }, credentials, handlers) {
  return isNode ? new SocketIo(url, credentials, handlers) : new Plain(url, credentials, handlers);
}

class Plain {
  #url;
  #credentials;
  #handlers;
  #socket;
  #waiting = new Map();
  #lastId = 0;
  #attempts = 0;

  constructor(url, credentials, handlers) {
    this.#url = `${url.replace('http', 'ws')}/ws`;
    this.#credentials = credentials;
    this.#handlers = handlers;
    this.#open();
  }

  request(event, data) {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('there is no connection'));
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ event, data, id }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, undefined, { message: 'the server did not answer' }), ANSWER_WITHIN);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  emit(event, data) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ event, data }));
  }

  #open() {
    this.#socket = new WebSocket(`${this.#url}?${new URLSearchParams(this.#credentials())}`);
    this.#socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (!message.event) return this.#settle(message.id, message.data, message.error);
      // The server has accepted the name.
      if (message.event === 'welcome') {
        this.#attempts = 0;
        this.#handlers.opened();
      }
      this.#handlers.received(message.event, message.data);
    };
    this.#socket.onclose = ({ code, reason }) => {
      for (const id of [...this.#waiting.keys()]) this.#settle(id, undefined, { message: 'the connection was lost' });
      // 1008: the server refused the client.
      if (code === 1008) this.#handlers.refused(reason);
      else this.#handlers.lost();
      setTimeout(() => this.#open(), code === 1008 ? AGAIN : Math.min(LONGEST, AGAIN * 2 ** this.#attempts++));
    };
  }

  #settle(id, data, error) {
    const { resolve, reject, timer } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    clearTimeout(timer);
    if (error) reject?.(new Error(error.message));
    else resolve?.(data);
  }
}

class SocketIo {
  #socket;

  constructor(url, credentials, handlers) {
    this.#begin(url, credentials, handlers);
  }

  async request(event, payload) {
    if (!this.#socket?.connected) throw new Error('there is no connection');
    const answer = await this.#socket.timeout(ANSWER_WITHIN).emitWithAck(event, payload);
    if (answer?.error) throw new Error(answer.error.message);
    return answer;
  }

  emit(event, payload) {
    if (this.#socket?.connected) this.#socket.emit(event, payload);
  }

  async #begin(url, credentials, handlers) {
    // The servers in Rust serve this file if npm has installed it.
    const client = await import('/socket.io/socket.io.esm.min.js').catch(() => undefined);
    if (!client) return handlers.refused('socket.io-client is not installed. Do that, and reload: npm ci --prefix tests/node');
    // WebSockets need no permission of the server for pages of other origins.
    const socket = client.io(url, { auth: (use) => use(credentials()), transports: ['websocket'], reconnectionDelay: AGAIN, reconnectionDelayMax: LONGEST });
    this.#socket = socket;
    socket.on('connect', () => handlers.opened());
    socket.on('disconnect', () => {
      handlers.lost();
      if (!socket.active) setTimeout(() => socket.connect(), AGAIN);
    });
    socket.on('connect_error', ({ message }) => {
      if (socket.active) return handlers.lost();
      handlers.refused(message);
      setTimeout(() => socket.connect(), AGAIN);
    });
    // A direct message asks for an answer: its last argument is a function. The last argument of
    // other events may be their offset.
    socket.onAny((event, payload, answer) => {
      handlers.received(event, payload);
      if (typeof answer === 'function') answer();
    });
  }
}
