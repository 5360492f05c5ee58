// The page's state: who is connected, and the messages.

// The number of messages that are kept per conversation.
const KEPT = 500;
// How long somebody counts as typing after a `typing` event, in milliseconds.
const TYPING = 4_000;
// How long the others may take to come back after this page has, in milliseconds.
const COMING_BACK = 15_000;

// Who is connected. Events that arrive before the list are newer than the list.
export class Presence {
  #here = new Map();

  forget() {
    this.#here.clear();
  }

  update(name, isHere) {
    this.#here.set(name, isHere);
  }

  listed(names) {
    for (const name of names) if (!this.#here.has(name)) this.#here.set(name, true);
  }

  has(name) {
    return this.#here.get(name) ?? false;
  }

  get names() {
    return [...this.#here.keys()].filter((name) => this.has(name)).sort((a, b) => a.localeCompare(b));
  }
}

// A room or a dialogue, with its messages in chronological order.
export class Conversation {
  here = new Presence();
  messages = [];
  unread = 0;
  draft = '';
  #typing = new Map();
  // Who was here when the connection was lost, and has not come back.
  #awaited = new Set();
  #comingBack;

  constructor(isRoom, name) {
    this.isRoom = isRoom;
    this.name = name;
    this.title = isRoom ? `#${name}` : name;
    this.key = Conversation.key(isRoom, name);
  }

  // A person may have the same name as a room, even with the `#`.
  static key(isRoom, name) {
    return `${isRoom ? 'room' : 'person'} ${name}`;
  }

  // Adds a message, unless it is there already: in a room, times are unique for each sender.
  add(message) {
    if (this.isRoom && message.at && this.messages.some(({ at, from, isNote }) => at === message.at && from === message.from && !isNote)) return false;
    message.at ??= this.#lastTime;
    this.messages.push(message);
    this.sort();
    if (this.messages.length > KEPT) this.messages.shift();
    return true;
  }

  // Messages that are being sent come last.
  sort() {
    const time = ({ at, mark }) => (mark === 'sending' || mark === 'waiting' ? Infinity : at);
    this.messages.sort((a, b) => time(a) - time(b) || 0);
  }

  // The connection is lost: it is unknown who is here.
  lost() {
    clearTimeout(this.#comingBack);
    for (const name of this.here.names) this.#awaited.add(name);
    this.here.forget();
  }

  // Whether somebody was here before the connection was lost, and is now here again.
  isBack(name) {
    return this.#awaited.delete(name);
  }

  // Waits for those who were here before. `onMissing` is called for each who does not come back.
  awaitOthers(onMissing) {
    clearTimeout(this.#comingBack);
    this.#comingBack = setTimeout(() => {
      const missing = [...this.#awaited];
      this.#awaited.clear();
      missing.forEach(onMissing);
    }, COMING_BACK);
  }

  typed(name, onEnd) {
    this.stopped(name);
    this.#typing.set(name, setTimeout(() => { this.stopped(name); onEnd(); }, TYPING));
  }

  stopped(name) {
    clearTimeout(this.#typing.get(name));
    this.#typing.delete(name);
  }

  get typing() {
    return [...this.#typing.keys()];
  }

  get #lastTime() {
    return this.messages.length ? Math.max(...this.messages.map(({ at }) => at)) : Date.now();
  }
}
