/** The codes of errors that any event can be answered with. */
export type FrameworkCode =
  | "invalid_payload"
  | "unknown_event"
  | "reserved_event"
  | "rate_limited"
  | "unanswered"
  | "internal";

/** What went wrong with an event. `Code` are the codes of its handler. */
export interface EventError<Code extends string = never> {
  code: Code | FrameworkCode;
  message: string;
  /** The field of the payload that is at fault, such as `user.age`. */
  path?: string;
  data?: unknown;
}

/** An event is answered with this in the place of its reply when it fails. */
export interface Failed<Code extends string = never> {
  error: EventError<Code>;
}
