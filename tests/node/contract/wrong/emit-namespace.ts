import type { Emitter } from "../daily-emitter";

declare const emitter: Emitter;

// expected: TS2769
emitter.of("/silent");
export {};
