// The connection over socket.io-client, which provides answers and reconnection.

import type { Socket } from 'socket.io-client';
import type {
  ClientToServerEvents, Delivered, Failed, Receipt, RoomName, Say, Scene, ServerToClientEvents, Tell,
} from './contract';
import { ANSWER_WITHIN, type Credentials, type Handlers, type PageConnection } from './page';

// The server serves this file if npm has installed it.
const path: string = '/socket.io/socket.io.esm.min.js';
const client: typeof import('socket.io-client') | undefined = await import(path).catch(() => undefined);

export const protocol = {
  name: 'Socket.IO',
  other: { name: 'a plain WebSocket', path: '/' },
  problem: client ? '' : 'socket.io-client is not installed. Do that, and reload:\nnpm ci --prefix tests/node',
};

export class Connection implements PageConnection {
  #socket: Socket<ServerToClientEvents, ClientToServerEvents>;
  #ended: Handlers['ended'];
  #farewell = '';

  constructor(credentials: Credentials, { events, lost, ended }: Handlers) {
    if (!client) throw new Error(protocol.problem);
    this.#ended = ended;
    const socket: Socket<ServerToClientEvents, ClientToServerEvents> = client.io({ auth: credentials, forceNew: true });
    this.#socket = socket;
    socket.on('welcome', events.welcome);
    socket.on('arrived', events.arrived);
    socket.on('left', events.left);
    socket.on('joined', events.joined);
    socket.on('parted', events.parted);
    socket.on('said', events.said);
    socket.on('typing', events.typing);
    // An empty answer acknowledges the message.
    socket.on('told', (told, answer) => {
      events.told(told);
      answer();
    });
    socket.on('farewell', ({ reason }) => void (this.#farewell = reason));
    // `active`: the client reconnects by itself.
    socket.on('connect_error', ({ message }) => (socket.active ? lost() : ended(message)));
    socket.on('disconnect', () => (socket.active ? lost() : ended(this.#farewell)));
  }

  get resumed(): boolean {
    return this.#socket.recovered;
  }

  typing(room: RoomName): void {
    if (this.#socket.connected) this.#socket.emit('typing', room);
  }

  async tell(tell: Tell): Promise<Delivered> {
    return answered(await this.#connected.emitWithAck('tell', tell));
  }

  async join(room: RoomName): Promise<Scene> {
    return answered(await this.#connected.emitWithAck('join', room));
  }

  async part(room: RoomName): Promise<void> {
    answered(await this.#connected.emitWithAck('part', room));
  }

  async say(say: Say): Promise<Receipt> {
    return answered(await this.#connected.emitWithAck('say', say));
  }

  cut(): void {
    this.#socket.io.reconnection(false);
    this.#socket.io.engine.close();
  }

  mend(): void {
    this.#socket.io.reconnection(true);
    this.#socket.connect();
  }

  close(): void {
    this.#socket.off().disconnect();
    this.#ended('');
  }

  // Fails while disconnected: requests are not queued.
  get #connected() {
    if (!this.#socket.connected) throw new Error('there is no connection');
    return this.#socket.timeout(ANSWER_WITHIN);
  }
}

const isFailed = (answer: unknown): answer is Failed<string> => typeof answer === 'object' && answer !== null && 'error' in answer;

function answered<A>(answer: A | Failed<string>): A {
  if (isFailed(answer)) throw new Error(answer.error.message);
  return answer;
}
