// The same as connection.js over socket.io-client, which brings all of it along: answers, and coming back.

// The client's own file, which the server has if npm has installed it.
const client = await import('/socket.io/socket.io.esm.min.js').catch(() => undefined);

export const protocol = {
  name: 'Socket.IO',
  other: { name: 'a plain WebSocket', path: '/' },
  problem: client ? '' : 'socket.io-client is not installed. Do that, and reload:\nnpm ci --prefix tests/node',
};

const ANSWER_WITHIN = 15_000;

export class Connection {
  #socket;
  #ended;
  #farewell = '';

  // See connection.js.
  constructor(credentials, { events, lost, ended }) {
    this.#ended = ended;
    this.#socket = client.io({ auth: credentials, forceNew: true });
    for (const [event, handle] of Object.entries(events)) {
      this.#socket.on(event, (data, reply) => {
        const answer = handle(data);
        reply?.(answer);
      });
    }
    this.#socket.on('farewell', ({ reason }) => (this.#farewell = reason));
    // `active`: the client tries again by itself.
    this.#socket.on('connect_error', ({ message }) => (this.#socket.active ? lost() : ended(message)));
    this.#socket.on('disconnect', () => (this.#socket.active ? lost() : ended(this.#farewell)));
  }

  emit(event, data) {
    if (this.#socket.connected) this.#socket.emit(event, data);
  }

  async ask(event, data) {
    if (!this.#socket.connected) throw new Error('there is no connection');
    const answer = await this.#socket.timeout(ANSWER_WITHIN).emitWithAck(event, data);
    if (answer?.error) throw new Error(answer.error.message);
    return answer;
  }

  close() {
    this.#socket.off().disconnect();
    this.#ended('');
  }
}
