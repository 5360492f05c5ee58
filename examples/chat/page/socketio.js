// Made of ts/socketio.ts and the contract by tests/node/bundle.mjs.

// ts/page.ts
var ANSWER_WITHIN = 15e3;

// ts/socketio.ts
var path = "/socket.io/socket.io.esm.min.js";
var client = await import(path).catch(() => void 0);
var protocol = {
  name: "Socket.IO",
  other: { name: "a plain WebSocket", path: "/" },
  problem: client ? "" : "socket.io-client is not installed. Do that, and reload:\nnpm ci --prefix tests/node"
};
var Connection = class {
  #socket;
  #ended;
  #farewell = "";
  constructor(credentials, { events, lost, ended }) {
    if (!client) throw new Error(protocol.problem);
    this.#ended = ended;
    const socket = client.io({ auth: credentials, forceNew: true });
    this.#socket = socket;
    socket.on("welcome", events.welcome);
    socket.on("arrived", events.arrived);
    socket.on("left", events.left);
    socket.on("joined", events.joined);
    socket.on("parted", events.parted);
    socket.on("said", events.said);
    socket.on("typing", events.typing);
    socket.on("told", (told, answer) => {
      events.told(told);
      answer(null);
    });
    socket.on("farewell", ({ reason }) => void (this.#farewell = reason));
    socket.on("connect_error", ({ message }) => socket.active ? lost() : ended(message));
    socket.on("disconnect", () => socket.active ? lost() : ended(this.#farewell));
  }
  emit(event, room) {
    if (this.#socket.connected) this.#socket.emit(event, room);
  }
  async ask(event, payload) {
    if (!this.#socket.connected) throw new Error("there is no connection");
    const socket = this.#socket.timeout(ANSWER_WITHIN);
    const ask = socket.emitWithAck.bind(socket);
    const answer = await ask(event, payload);
    if (typeof answer === "object" && answer && "error" in answer) throw new Error(answer.error.message);
    return answer;
  }
  close() {
    this.#socket.off().disconnect();
    this.#ended("");
  }
};
export {
  Connection,
  protocol
};
