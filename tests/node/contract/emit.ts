// A back-end that emits over HTTP, with the emitter of the contract.

import { EmitError, Emitter } from "./daily-emitter";
import { expect } from "./expect";

export async function run(url: string, token: string): Promise<string[]> {
  const emitter = new Emitter(`${url}/emit`, { token: async () => token, retries: 0 });
  const ids: string[] = [];
  const { id, replayed } = await emitter.emit("news", { headline: "to all", weight: null });
  expect(replayed, false);
  ids.push(id);
  await emitter.to("lobby").except("muted", "deaf").volatile().emit("news", { headline: "to the lobby", weight: 3 });
  await emitter.of("/admin").emit("load", 0.7);
  await emitter.of(`/room-${7}`).emit("said", { saidBy: "ann", text: "hello" });

  const payload = { headline: "once", weight: null };
  const once = await emitter.emit("news", payload, { idempotencyKey: "a-key" });
  const again = await emitter.emit("news", payload, { idempotencyKey: "a-key" });
  expect(again, { id: once.id, replayed: true });

  const code = async (emitted: Promise<unknown>) => {
    try {
      await emitted;
    } catch (error) {
      if (error instanceof EmitError) return [error.status, error.code, error.pointer];
      throw error;
    }
    return [];
  };
  expect(await code(emitter.to(...[]).emit("news", payload)), [422, "no_rooms", "/rooms"]);
  expect(await code(emitter.to("x".repeat(300)).emit("news", payload)), [422, "invalid_room", "/rooms/0"]);
  const stranger = new Emitter(`${url}/emit`, { token: "not the token at all" });
  expect(await code(stranger.emit("news", payload)), [401, "unauthorized", undefined]);

  // A server that is busy at first gets the same request again, with the same key.
  const keys: string[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    keys.push(new Headers(init?.headers).get("idempotency-key") ?? "");
    if (keys.length === 1) throw new TypeError("the connection was reset");
    if (keys.length === 2) return new Response("busy", { status: 503 });
    return globalThis.fetch(input, init);
  };
  ids.push((await new Emitter(`${url}/emit`, { token, fetch }).emit("news", { headline: "at last", weight: null })).id);
  expect([keys.length, new Set(keys).size], [3, 1]);
  const unreachable = new Emitter("http://127.0.0.1:1/emit", { token, retries: 0 });
  expect((await code(unreachable.emit("news", payload))).slice(0, 2), [0, "unreachable"]);
  return ids;
}
