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
      answer();
    });
    socket.on("farewell", ({ reason }) => void (this.#farewell = reason));
    socket.on("connect_error", ({ message }) => socket.active ? lost() : ended(message));
    socket.on("disconnect", () => socket.active ? lost() : ended(this.#farewell));
  }
  get resumed() {
    return this.#socket.recovered;
  }
  typing(room) {
    if (this.#socket.connected) this.#socket.emit("typing", room);
  }
  async tell(tell) {
    return answered(await this.#connected.emitWithAck("tell", tell));
  }
  async join(room) {
    return answered(await this.#connected.emitWithAck("join", room));
  }
  async part(room) {
    answered(await this.#connected.emitWithAck("part", room));
  }
  async say(say) {
    return answered(await this.#connected.emitWithAck("say", say));
  }
  cut() {
    this.#socket.io.reconnection(false);
    this.#socket.io.engine.close();
  }
  mend() {
    this.#socket.io.reconnection(true);
    this.#socket.connect();
  }
  close() {
    this.#socket.off().disconnect();
    this.#ended("");
  }
  // Fails while disconnected: requests are not queued.
  get #connected() {
    if (!this.#socket.connected) throw new Error("there is no connection");
    return this.#socket.timeout(ANSWER_WITHIN);
  }
};
var isFailed = (answer) => typeof answer === "object" && answer !== null && "error" in answer;
function answered(answer) {
  if (isFailed(answer)) throw new Error(answer.error.message);
  return answer;
}
export {
  Connection,
  protocol
};
