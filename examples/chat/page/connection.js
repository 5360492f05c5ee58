// Made of ts/connection.ts and the contract by tests/node/bundle.mjs.

// ts/contract.ts
var RequestError = class extends Error {
  code;
  argument;
  path;
  data;
  constructor({ code, message, argument, path, data }) {
    super(message);
    this.name = "RequestError";
    this.code = code;
    this.argument = argument;
    this.path = path;
    this.data = data;
  }
};
var longest = 2 ** 31 - 1;
var remembered = 1e4;
function failure(answer) {
  const error = answer[0]?.error;
  const isAlone = answer.length === 1 && Object.keys(answer[0] ?? {}).length === 1;
  return isAlone && typeof error?.code === "string" && typeof error.message === "string" ? error : void 0;
}
function connect(url, options = {}) {
  const listeners = /* @__PURE__ */ new Map();
  const waiting = /* @__PURE__ */ new Map();
  let queue = [];
  let socket;
  let lastId = 0;
  let attempts = 0;
  let closed = false;
  let token;
  let offset;
  const deliveries = new globalThis.Set();
  const body = (args) => args.length === 1 ? { data: args[0] } : { args };
  const send = (message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    else if (!closed) queue.push(message);
  };
  const settle = ({ id, data, args, error }) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error) reject?.(new RequestError(error));
    else resolve?.(args ? args.length > 0 ? args : void 0 : data);
  };
  const hear = ({ event = "", id, data, args, delivery }) => {
    const asked = socket;
    const answer = (...values) => {
      const error = failure(values);
      if (asked.readyState === WebSocket.OPEN) asked.send(JSON.stringify(error ? { id, error } : { id, ...body(values) }));
    };
    const heard = listeners.get(event);
    if (delivery === void 0) {
      const passed = [...args ?? [data], ...id === void 0 ? [] : [answer]];
      return heard?.forEach((listener) => listener(...passed));
    }
    if (!heard?.size) return;
    try {
      if (deliveries.has(delivery)) return;
      deliveries.add(delivery);
      const [oldest] = deliveries;
      if (deliveries.size > remembered) deliveries.delete(oldest);
      heard.forEach((listener) => listener(...args ?? [data]));
    } finally {
      answer();
    }
  };
  const end = (message) => {
    if (closed) queue = [];
    for (const id of [...waiting.keys()].filter((id2) => !queue.some((message2) => message2.id === id2))) {
      settle({ id, error: { code: "closed", message } });
    }
  };
  const open = () => {
    const resume = `${String(url).includes("?") ? "&" : "?"}resume=${token === void 0 ? "1" : "token"}`;
    socket = new WebSocket(options.resume ? url + resume : url);
    let awaitsSession = options.resume === true;
    socket.onopen = () => {
      attempts = 0;
      if (token !== void 0) socket.send(JSON.stringify({ resume: { token, offset } }));
      options.onOpen?.();
      queue.splice(0).forEach(send);
    };
    socket.onmessage = ({ data }) => {
      let message = null;
      try {
        message = JSON.parse(data);
      } catch {
      }
      if (awaitsSession && message?.event === "session") {
        const { recovered, ...session } = message.data;
        awaitsSession = false;
        token = session.token;
        if (!recovered) offset = void 0;
        return options.onSession?.(recovered);
      }
      if (message?.offset !== void 0) offset = message.offset;
      if (typeof message?.event === "string") hear(message);
      else if (message && message.id !== void 0) settle(message);
    };
    let hasEnded = false;
    const ended = (event) => {
      if (hasEnded) return;
      hasEnded = true;
      const isWanted = options.onClose?.(event) !== false;
      closed ||= !isWanted || event.code === 1008;
      end(event.reason || "the connection was lost");
      const wait = Math.min(1e4, 250 * 2 ** attempts++) * (0.5 + Math.random() / 2);
      if (!closed) setTimeout(() => closed || open(), wait);
    };
    socket.onclose = ended;
    const failed = { code: 1006, reason: "", wasClean: false };
    socket.onerror = () => setTimeout(() => ended(failed), 100);
  };
  open();
  return {
    on(event, listener) {
      const heard = listeners.get(event) ?? /* @__PURE__ */ new Set();
      listeners.set(event, heard.add(listener));
      return () => void heard.delete(listener);
    },
    emit(event, ...args) {
      send({ event, ...body(args) });
    },
    request(event, ...args) {
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        const error = { code: "timeout", message: "the server did not answer in time" };
        const timer = setTimeout(() => {
          queue = queue.filter((message) => message.id !== id);
          settle({ id, error });
        }, Math.min(options.timeout ?? 3e4, longest));
        const done = (settled) => (value) => (clearTimeout(timer), settled(value));
        waiting.set(id, { resolve: done(resolve), reject: done(reject) });
        if (closed) settle({ id, error: { code: "closed", message: "the connection is closed" } });
        else send({ event, id, ...body(args) });
      });
    },
    close() {
      closed = true;
      socket.close(1e3);
      if (socket.readyState === WebSocket.CLOSED) end("the connection is closed");
    }
  };
}

// ts/network.ts
var sockets = /* @__PURE__ */ new Set();
var isCut = false;
var network = {
  /** Connections end without a farewell, and new ones wait. */
  cut() {
    isCut = true;
    for (const socket of sockets) socket.cut();
  },
  mend() {
    isCut = false;
    for (const socket of sockets) socket.open();
  }
};
var PageSocket = class _PageSocket {
  static CONNECTING = WebSocket.CONNECTING;
  static OPEN = WebSocket.OPEN;
  static CLOSING = WebSocket.CLOSING;
  static CLOSED = WebSocket.CLOSED;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #url;
  #socket;
  #isClosed = false;
  constructor(url) {
    this.#url = url;
    sockets.add(this);
    if (!isCut) this.open();
  }
  get readyState() {
    if (this.#isClosed) return _PageSocket.CLOSED;
    return this.#socket?.readyState ?? _PageSocket.CONNECTING;
  }
  open() {
    if (this.#socket) return;
    const socket = new WebSocketOfBrowser(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#isClosed || this.onopen?.();
    socket.onmessage = (event) => this.#isClosed || this.onmessage?.(event);
    socket.onerror = () => this.#isClosed || this.onerror?.();
    socket.onclose = (event) => this.#close(event);
  }
  send(data) {
    this.#socket?.send(data);
  }
  close(code) {
    if (this.#socket) this.#socket.close(code);
    else this.#close({ code: 1006, reason: "", wasClean: false });
  }
  cut() {
    if (!this.#socket) return;
    this.#close({ code: 1006, reason: "", wasClean: false });
    this.#socket.close(4e3);
  }
  #close(event) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    sockets.delete(this);
    this.onclose?.(event);
  }
};
var WebSocketOfBrowser = WebSocket;
Object.assign(globalThis, { WebSocket: PageSocket });

// ts/page.ts
var ANSWER_WITHIN = 15e3;

// ts/connection.ts
var protocol = { name: "a plain WebSocket", other: { name: "Socket.IO", path: "/socketio/" } };
var FINAL = [1e3, 1008, 4001];
var Connection = class {
  #client;
  resumed = false;
  #isOpen = false;
  #ended;
  constructor(credentials, { events, lost, ended }) {
    this.#ended = (reason) => {
      this.#ended = () => {
      };
      ended(reason);
    };
    const url = `${location.origin.replace("http", "ws")}/ws?${new URLSearchParams({ ...credentials })}`;
    this.#client = connect(url, {
      timeout: ANSWER_WITHIN,
      resume: true,
      onSession: (recovered) => {
        this.resumed = recovered;
      },
      onOpen: () => {
        this.#isOpen = true;
      },
      onClose: ({ code, reason }) => {
        this.#isOpen = false;
        if (!FINAL.includes(code)) return lost();
        this.#ended(reason);
        return false;
      }
    });
    const listen = (event) => this.#client.on(event, events[event]);
    Object.keys(events).filter((event) => event !== "told").forEach(listen);
    this.#client.on("told", (told, answer) => {
      events.told(told);
      answer();
    });
  }
  typing(room) {
    if (this.#isOpen) this.#client.emit("typing", room);
  }
  async tell(tell) {
    return this.#connected.request("tell", tell);
  }
  async join(room) {
    return this.#connected.request("join", room);
  }
  async part(room) {
    return this.#connected.request("part", room);
  }
  async say(say) {
    return this.#connected.request("say", say);
  }
  cut() {
    network.cut();
  }
  mend() {
    network.mend();
  }
  close() {
    this.#client.close();
    network.mend();
    this.#ended("");
  }
  // Fails while disconnected: requests are not queued.
  get #connected() {
    if (!this.#isOpen) throw new Error("there is no connection");
    return this.#client;
  }
};
export {
  Connection,
  protocol
};
