import type { Emitter } from "../daily-emitter";

declare const emitter: Emitter;

// expected: TS2322
await emitter.emit("news", { headline: 1, weight: null });
export {};
