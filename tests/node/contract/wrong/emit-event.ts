import type { Emitter } from "../daily-emitter";

declare const emitter: Emitter;

// expected: TS2345
await emitter.emit("load", 1);
export {};
