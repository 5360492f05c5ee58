// What the page gives to either kind of connection, and takes from it.

import type { Delivered, Receipt, RoomName, Say, Scene, ServerToClientEvents, Tell } from './contract';

/** What the page does when it hears an event. */
export type Events = { [E in keyof Omit<ServerToClientEvents, 'farewell'>]: (payload: Parameters<ServerToClientEvents[E]>[0]) => void };

export interface Handlers {
  events: Events;
  /** The connection is lost. */
  lost(): void;
  /** It will not come back. */
  ended(reason: string): void;
}

/** Who connects. */
export interface Credentials {
  name: string;
  key: string;
}

/** What the page does with either kind of connection. While there is none, questions fail. */
export interface PageConnection {
  tell(tell: Tell): Promise<Delivered>;
  join(room: RoomName): Promise<Scene>;
  part(room: RoomName): Promise<void>;
  say(say: Say): Promise<Receipt>;
  /** Wants no answer; while there is no connection, it is dropped. */
  typing(room: RoomName): void;
  /** For good. */
  close(): void;
}

export const ANSWER_WITHIN = 15_000;
