// What the page knows: who is there, and what was said.

// How many messages of a conversation are kept.
const KEPT = 500;
// How long somebody counts as typing after a sign of it.
const TYPING = 4_000;

// Who is there. What is heard while the list is on its way is newer than the list.
export class Presence {
  #here = new Map();

  forget() {
    this.#here.clear();
  }

  heard(name, isHere) {
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

// A room or a dialogue, with its messages in order of time.
export class Conversation {
  here = new Presence();
  messages = [];
  unread = 0;
  draft = '';
  #typing = new Map();

  constructor(isRoom, name) {
    this.isRoom = isRoom;
    this.name = name;
    this.title = isRoom ? `#${name}` : name;
    this.key = Conversation.key(isRoom, name);
  }

  // People may be called like a room, a `#` included.
  static key(isRoom, name) {
    return `${isRoom ? 'room' : 'person'} ${name}`;
  }

  // Adds a message, unless it is known: in a room no two have the same time.
  add(message) {
    if (this.isRoom && message.at && this.messages.some(({ at, isNote }) => at === message.at && !isNote)) return false;
    message.at ??= this.#lastTime;
    this.messages.push(message);
    this.sort();
    if (this.messages.length > KEPT) this.messages.shift();
    return true;
  }

  // Messages that are still on their way come last.
  sort() {
    const time = ({ at, mark }) => (mark === 'sending' ? Infinity : at);
    this.messages.sort((a, b) => time(a) - time(b) || 0);
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
