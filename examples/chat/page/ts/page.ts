// What the page gives to either kind of connection, and takes from it.

import type { ClientToServerEvents, Failed, ServerToClientEvents } from './contract';

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

/** An event that the page sends, each with one argument. */
export type Sent = keyof ClientToServerEvents;
export type Payload<E extends Sent> = Parameters<ClientToServerEvents[E]>[0];

/** What it is answered with when all goes well. */
export type Answer<E extends Sent> = Parameters<ClientToServerEvents[E]> extends [any, ((answer: infer A) => void)?]
  ? Exclude<A, Failed<string>>
  : never;

export const ANSWER_WITHIN = 15_000;
