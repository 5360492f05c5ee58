// The page's connection over a plain WebSocket.

import { connect, type Client, type ClientToServerEvents, type ServerToClientEvents } from './contract';
import { ANSWER_WITHIN, type Answer, type Credentials, type Handlers, type Payload, type Sent } from './page';

/** How the page calls this way to connect, and where the other one is. */
export const protocol = { name: 'a plain WebSocket', other: { name: 'Socket.IO', path: '/socketio/' } };

/** Codes after which there is no coming back: closed by this page, refused, taken over by another page. */
const FINAL = [1000, 1008, 4001];

export class Connection {
  #client: Client<ServerToClientEvents, ClientToServerEvents>;
  #isOpen = false;
  #ended: (reason: string) => void;

  constructor(credentials: Credentials, { events, lost, ended }: Handlers) {
    this.#ended = (reason) => {
      this.#ended = () => {};
      ended(reason);
    };
    const url = `${location.origin.replace('http', 'ws')}/ws?${new URLSearchParams({ ...credentials })}`;
    this.#client = connect(url, {
      timeout: ANSWER_WITHIN,
      onOpen: () => {
        this.#isOpen = true;
      },
      onClose: ({ code, reason }) => {
        this.#isOpen = false;
        if (!FINAL.includes(code)) return lost();
        this.#ended(reason);
        return false;
      },
    });
    const listen = <E extends keyof typeof events>(event: E) => this.#client.on(event, events[event]);
    (Object.keys(events) as (keyof typeof events)[]).filter((event) => event !== 'told').forEach(listen);
    // That the page has it is all that the sender wants to know.
    this.#client.on('told', (told, answer) => {
      events.told(told);
      answer(null);
    });
  }

  /** Sends an event that wants no answer; while there is no connection, it is dropped. */
  emit(event: 'typing', room: string): void {
    if (this.#isOpen) this.#client.emit(event, room);
  }

  /** Sends an event and resolves to its answer. */
  async ask<E extends Sent>(event: E, payload: Payload<E>): Promise<Answer<E>> {
    if (!this.#isOpen) throw new Error('there is no connection');
    const ask = this.#client.request as unknown as (event: Sent, payload: unknown) => Promise<Answer<E>>;
    return ask(event, payload);
  }

  close(): void {
    this.#client.close();
    this.#ended('');
  }
}
