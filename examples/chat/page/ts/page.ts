// The interface between the page and both kinds of connection.

import type { Delivered, Receipt, RoomName, Say, Scene, ServerToClientEvents, Tell } from './contract';

/** The page's event handlers. */
export type Events = { [E in keyof Omit<ServerToClientEvents, 'farewell'>]: (payload: Parameters<ServerToClientEvents[E]>[0]) => void };

export interface Handlers {
  events: Events;
  /** The connection is lost. */
  lost(): void;
  /** The connection has ended for good. */
  ended(reason: string): void;
}

/** The name and key of the user. */
export interface Credentials {
  name: string;
  key: string;
}

/** The operations of both kinds of connection. Requests fail while disconnected. */
export interface PageConnection {
  /** Whether the session before a lost connection goes on, so that nothing was missed. */
  readonly resumed: boolean;
  tell(tell: Tell): Promise<Delivered>;
  join(room: RoomName): Promise<Scene>;
  part(room: RoomName): Promise<void>;
  say(say: Say): Promise<Receipt>;
  /** Has no answer. Dropped while disconnected. */
  typing(room: RoomName): void;
  /** Cuts the connection, as a tunnel does, and lets no other through before `mend`. */
  cut(): void;
  mend(): void;
  /** Closes the connection for good. */
  close(): void;
}

export const ANSWER_WITHIN = 15_000;
