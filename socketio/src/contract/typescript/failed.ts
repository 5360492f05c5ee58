/** The error codes that any event can be answered with. */
export type FrameworkCode =
  | "invalid_payload"
  | "unknown_event"
  | "reserved_event"
  | "rate_limited"
  | "unanswered"
  | "timeout"
  | "internal";

/** The error of an event. `Code` is the union of its handler's own codes. */
export interface EventError<Code extends string = never> {
  code: Code | FrameworkCode;
  message: string;
  /** The position of the invalid argument, counted from 0. */
  argument?: number;
  /** The invalid field of the payload, such as `user.age`. */
  path?: string;
  data?: unknown;
}

/** The error answer, which replaces the reply if the event fails. */
export interface Failed<Code extends string = never> {
  error: EventError<Code>;
}
