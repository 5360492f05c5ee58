// A WebSocket with events and answers, that comes back when it is lost.
//
//   {event, data}       an event            {id, data}    its answer
//   {event, data, id}   the same, asking    {id, error}   what went wrong instead

// How the page calls this way to connect, and where the other one is.
export const protocol = { name: 'a plain WebSocket', other: { name: 'Socket.IO', path: '/socketio/' } };

const ANSWER_WITHIN = 15_000;
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 8_000;

// Codes after which there is no coming back: closed by this page, refused, taken over by another page.
const FINAL = [1000, 1008, 4001];

export class Connection {
  #url;
  #handlers;
  #socket;
  #timer;
  #pause = FIRST_PAUSE;
  #asked = new Map();
  #lastId = 0;

  // `credentials` say who connects. `handlers.events` has a function for each event; what it returns is the answer, if one is
  // asked for. `handlers.lost()` is called when the connection is lost, `handlers.ended(reason)` when it will not come back.
  constructor(credentials, handlers) {
    this.#url = `${location.origin.replace('http', 'ws')}/ws?${new URLSearchParams(credentials)}`;
    this.#handlers = handlers;
    addEventListener('online', this.#hurry);
    this.#open();
  }

  // Sends an event that wants no answer; while there is no connection, it is dropped.
  emit(event, data) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#send({ event, data });
  }

  // Sends an event and resolves to its answer.
  ask(event, data) {
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) return reject(new Error('there is no connection'));
      const id = ++this.#lastId;
      const timer = setTimeout(() => this.#answered({ id, error: { message: 'no answer' } }), ANSWER_WITHIN);
      this.#asked.set(id, { resolve, reject, timer });
      this.#send({ event, data, id });
    });
  }

  close() {
    this.#socket.close(1000);
    this.#ended('');
  }

  #open() {
    this.#socket = new WebSocket(this.#url);
    this.#socket.onmessage = ({ data }) => this.#received(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  #send(envelope) {
    this.#socket.send(JSON.stringify(envelope));
  }

  #received({ event, data, id, error }) {
    this.#pause = FIRST_PAUSE;
    if (event === undefined) return this.#answered({ id, data, error });
    const answer = this.#handlers.events[event]?.(data);
    if (id !== undefined) this.#send({ id, data: answer });
  }

  #answered({ id, data, error }) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    if (error) asked.reject(new Error(error.message));
    else asked.resolve(data);
  }

  #closed(code, reason) {
    for (const id of [...this.#asked.keys()]) this.#answered({ id, error: { message: 'the connection was lost' } });
    if (FINAL.includes(code)) return this.#ended(reason);
    this.#handlers.lost();
    // Not all pages at once, after a server has gone and come back.
    this.#timer = setTimeout(() => this.#open(), this.#pause * (0.5 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #ended(reason) {
    this.#socket.onclose = null;
    clearTimeout(this.#timer);
    removeEventListener('online', this.#hurry);
    this.#handlers.ended(reason);
  }

  #hurry = () => {
    if (this.#socket.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.#timer);
    this.#open();
  };
}
