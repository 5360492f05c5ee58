// The page's connection over a plain WebSocket.

import {
  connect, type Client, type ClientToServerRequests, type Delivered, type Receipt, type RoomName, type Say, type Scene,
  type ServerToClientEvents, type Tell,
} from './contract';
import { network } from './network';
import { ANSWER_WITHIN, type Credentials, type Handlers, type PageConnection } from './page';

/** The name of this connection on the page, and the path of the other page. */
export const protocol = { name: 'a plain WebSocket', other: { name: 'Socket.IO', path: '/socketio/' } };

/**
 * Close codes after which the page does not reconnect: closed by this page, refused, taken over by
 * another page.
 */
const FINAL = [1000, 1008, 4001];

export class Connection implements PageConnection {
  #client: Client<ServerToClientEvents, ClientToServerRequests>;
  resumed = false;
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
      },
    });
    const listen = <E extends keyof typeof events>(event: E) => this.#client.on(event, events[event]);
    (Object.keys(events) as (keyof typeof events)[]).filter((event) => event !== 'told').forEach(listen);
    // An empty answer acknowledges the message.
    this.#client.on('told', (told, answer) => {
      events.told(told);
      answer();
    });
  }

  typing(room: RoomName): void {
    if (this.#isOpen) this.#client.emit('typing', room);
  }

  async tell(tell: Tell): Promise<Delivered> {
    return this.#connected.request('tell', tell);
  }

  async join(room: RoomName): Promise<Scene> {
    return this.#connected.request('join', room);
  }

  async part(room: RoomName): Promise<void> {
    return this.#connected.request('part', room);
  }

  async say(say: Say): Promise<Receipt> {
    return this.#connected.request('say', say);
  }

  cut(): void {
    network.cut();
  }

  mend(): void {
    network.mend();
  }

  close(): void {
    this.#client.close();
    network.mend();
    this.#ended('');
  }

  // Fails while disconnected: requests are not queued.
  get #connected(): Client<ServerToClientEvents, ClientToServerRequests> {
    if (!this.#isOpen) throw new Error('there is no connection');
    return this.#client;
  }
}
