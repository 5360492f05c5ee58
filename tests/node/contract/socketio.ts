// Every event of the contract, with `socket.io-client`.

import { io, type Socket } from "socket.io-client";
import { expect, failure, heard } from "./expect";
import {
  type AdminClientToServerEvents, type AdminServerToClientEvents, type ClientToServerEvents, type Delivered, type Health,
  RequestError, type ServerToClientEvents, type Verdict, reauthenticate, request,
} from "./server";

export async function run(url: string): Promise<void> {
  const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url, { transports: ["websocket"], forceNew: true });
  await heard<void>((connected) => socket.on("connect", connected));
  const id = socket.id ?? "";

  const delivered = heard<Delivered>((hear) => socket.once("delivered", hear));
  const receipt = await socket.emitWithAck("message", { to: id, text: "hello" });
  if ("error" in receipt) throw new Error(receipt.error.message);
  expect(receipt.length, 5);
  expect(await delivered, { text: "hello" });

  const failed = await heard<"no_text" | "not_delivered" | string>((hear) =>
    socket.emit("message", { to: id, text: "" }, (answer) => {
      if (!("error" in answer)) return hear(`${answer.length}`);
      // Any other code than those of the handler and the framework's would not compile.
      if (answer.error.code === "no_text" || answer.error.code === "not_delivered") hear(answer.error.code);
      else if (answer.error.code === "invalid_payload") hear(answer.error.path ?? "");
    }),
  );
  expect(failed, "no_text");

  const echoed = heard<Delivered>((hear) => socket.once("delivered", hear));
  socket.emit("echo", "hi");
  expect(await echoed, { text: "hi" });
  await heard<void>((hear) => socket.emit("echo", "hi", (failed) => {
    expect(failed, undefined);
    hear();
  }));

  expect(await socket.emitWithAck("sum", 1, 2), 3);
  expect(await socket.emitWithAck("sum", 1, null), 1);
  const split = await heard<string>((hear) =>
    socket.emit("split", "abc", (...answer) => hear(answer.length === 2 ? `${answer[0]} ${answer[1]}` : "")),
  );
  expect(split, "abc 3");
  expect(await socket.emitWithAck("checked", 7), true);
  expect(await socket.emitWithAck("later", "text"), "text");
  expect(await socket.timeout(5000).emitWithAck("count"), 1);

  socket.once("question", (question, answer) => answer(question.text === "sure?" ? "yes" : { no: { why: "unsure" } }));
  expect(await socket.emitWithAck("ask", "sure?"), "yes" satisfies Verdict);
  socket.once("question", (_question, answer) => answer({ error: { code: "busy", message: "not now" } }));
  const refused = await socket.emitWithAck("ask", "sure?");
  expect(typeof refused === "object" && "error" in refused, true);

  // An answer may have a field that is called `error`.
  const health: Health = { ok: true, error: { code: "tired", message: "a little" } };
  socket.once("checkup", (_checkup, answer) => answer(health));
  expect(await socket.emitWithAck("examine"), health);

  socket.once("division", ({ dividend, divisor }, answer) => answer(Math.trunc(dividend / divisor), dividend % divisor));
  const divided = await heard<string>((hear) => socket.emit("divide", 7, 2, (...answer) => hear(answer.join())));
  expect(divided, "3,1");

  const content = new Uint8Array([1, 2, 3]);
  const file = heard<number>((hear) => socket.once("file", ({ content }) => hear(content.byteLength)));
  const answer = await socket.emitWithAck("upload", { name: "a", content });
  if ("error" in answer) throw new Error(answer.error.message);
  expect(answer.byteLength, 3);
  expect(await file, 3);

  // Every event is checked, and its failure is an error.
  const nothing: void = await request(socket, "echo", "hi");
  expect(nothing, undefined);
  expect(await request(socket, "sum", 1), 1);
  expect(await request(socket, "split", "abc"), ["abc", 3]);
  const unsent = await failure(request(socket, "message", { to: id, text: "" }));
  expect(unsent instanceof RequestError && unsent.code, "no_text");
  socket.once("checkup", (_checkup, answer) => answer(health));
  expect(await request(socket, "examine"), health);
  const late = io(url, { transports: ["websocket"], forceNew: true, ackTimeout: 20 }) as typeof socket;
  expect(await failure(request(late, "ask", "sure?")).then((error) => (error as RequestError).code), "timeout");
  late.io.opts = { ...late.io.opts, ackTimeout: Infinity } as typeof late.io.opts;
  const asked = heard<void>((hear) => late.once("question", () => hear()));
  const lost = failure(request(late, "ask", "sure?"));
  await asked;
  late.disconnect();
  expect(await lost.then((error) => (error as RequestError).code), "closed");

  // Who is asked proves its identity again. When that has run out, the socket is disconnected.
  let token = "";
  const refusals: unknown[] = [];
  const stop = reauthenticate(socket, async () => ({ token }), (error) => {
    refusals.push(error instanceof RequestError && error.code);
  });
  expect(await request(socket, "prove"), null);
  while (refusals.length === 0) await request(socket, "count");
  expect(refusals, ["no_text"]);
  token = "good";
  while ((await request(socket, "prove")) !== "good") await request(socket, "count");
  stop();
  token = "unused";
  const question = heard<number | null>((hear) => socket.once("reauthenticate", ({ expiresIn }) => hear(expiresIn)));
  await request(socket, "prove");
  expect(await question, null);
  expect(await request(socket, "reauthenticate", { token: "own" }), 3);
  const expired = heard<string>((hear) => socket.once("disconnect", hear));
  socket.emit("expire");
  expect(await expired, "io server disconnect");
  const connected = heard<void>((hear) => socket.once("connect", hear));
  socket.connect();
  await connected;

  const admin: Socket<AdminServerToClientEvents, AdminClientToServerEvents> = socket.io.socket("/admin");
  expect(await admin.emitWithAck("restart", 9), 9);
  expect(await request(admin, "restart", 9), 9);
  socket.disconnect();
  admin.disconnect();
}
