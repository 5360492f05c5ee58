// Every event of the contract, with nothing but a WebSocket.

import { expect, failure, heard } from "./expect";
import {
  type AdminClientToServerRequests, type AdminServerToClientEvents, type Client, type ClientToServerRequests, type Health,
  RequestError, type ServerToClientEvents, connect,
} from "./server";

export async function run(url: string, cut: () => void): Promise<void> {
  const opened: number[] = [];
  let lost = 0;
  let isClosed = false;
  const client = connect(`${url}/ws`, {
    onOpen: () => void opened.push(lost),
    onClose: ({ code }) => void (code === 1000 ? (isClosed = true) : lost++),
  });

  // Sent before there is a connection.
  const early = client.request("sum", 1, 2);
  expect(await early, 3);
  expect(await client.request("sum", 1), 1);
  expect(await client.request("sum", 1, null), 1);

  const error = await failure(client.request("message", { to: "nobody", text: "hello" }));
  if (!(error instanceof RequestError)) throw error;
  expect(error.code, "not_delivered");
  const bad = await failure(client.request("message", { to: "nobody" } as { to: string; text: string }));
  expect(bad instanceof RequestError && bad.code, "invalid_payload");

  let stop = () => {};
  const delivered = heard<string>((hear) => (stop = client.on("delivered", ({ text }) => hear(text))));
  client.emit("echo", "hi");
  expect(await delivered, "hi");
  stop();
  const nothing: void = await client.request("echo", "hi");
  expect(nothing, undefined);
  const split: [string, number] = await client.request("split", "abc");
  expect(split, ["abc", 3]);
  expect(await client.request("checked", 7), true);
  expect(await client.request("later", "text"), "text");
  const count: number = await client.request("count");

  let verdict: "yes" | "no" | "busy" = "yes";
  client.on("question", (_question, answer) => {
    if (verdict === "busy") answer({ error: { code: "busy", message: "not now" } });
    else answer(verdict === "yes" ? "yes" : { no: { why: "unsure" } });
  });
  expect(await client.request("ask", "sure?"), "yes");
  verdict = "no";
  expect(await client.request("ask", "sure?"), { no: { why: "unsure" } });
  verdict = "busy";
  expect((await failure(client.request("ask", "sure?"))) instanceof RequestError, true);

  // An answer may have a field that is called `error`.
  const health: Health = { ok: true, error: { code: "tired", message: "a little" } };
  client.on("checkup", (_checkup, answer) => answer(health));
  expect(await client.request("examine"), health);

  client.on("division", ({ dividend, divisor }, answer) => answer(Math.trunc(dividend / divisor), dividend % divisor));
  expect(await client.request("divide", 7, 2), [3, 1]);

  // Binary data is base64 here.
  const file = heard<string>((hear) => client.on("file", ({ content }) => hear(content)));
  const content: string = await client.request("upload", { name: "a", content: "AQID" });
  expect([content, await file], ["AQID", "AQID"]);

  // What waits for an answer fails when the connection is lost; what is sent then goes out over the next one.
  cut();
  const again = await Promise.allSettled([client.request("count"), heard<void>((hear) => setTimeout(hear, 50))]);
  if (again[0].status === "rejected") expect((again[0].reason as RequestError).code, "closed");
  expect((await client.request("count")) > count, true);
  expect([lost, opened], [1, [0, 1]]);

  // The answer to a question from a connection that is lost is nobody's, whether or not there is another one already: that has
  // a question under the same id.
  const late = connect(`${url}/ws`);
  const held: ((quotient: number, remainder: number) => void)[] = [];
  let asked = () => {};
  late.on("division", (_division, answer) => (held.push(answer), asked()));
  const ask = async (dividend: number) => {
    const answered = Promise.allSettled([late.request("divide", dividend, 2)]);
    await heard<void>((hear) => (asked = hear));
    return { answered };
  };
  const first = await ask(7);
  cut();
  const asking = ask(9);
  held[0]!(3, 1);
  const second = await asking;
  held[0]!(3, 1);
  held[1]!(4, 1);
  expect((await first.answered)[0].status, "rejected");
  expect(await second.answered, [{ status: "fulfilled", value: [4, 1] }]);
  late.close();

  // Who is closed between two connections waits for the next one no longer.
  let leaving = client;
  await heard<void>((hear) => (leaving = connect(`${url}/ws`, { onOpen: cut, onClose: () => hear() })));
  const unsent = failure(leaving.request("count"));
  leaving.close();
  expect(await unsent.then((error) => (error as RequestError).code), "closed");

  // Where nobody listens there is no connection, and the next is tried.
  let tries = 0;
  const nowhere = await heard<Client<ServerToClientEvents, ClientToServerRequests>>((hear) => {
    const trying = connect("ws://127.0.0.1:1/ws", { onClose: ({ code }) => void (code === 1006 && ++tries === 2 && hear(trying)) });
  });
  nowhere.close();

  // Some versions of Node tell of it by an error alone.
  const Working = globalThis.WebSocket;
  class Failing extends EventTarget {
    static readonly OPEN = 1;
    readonly readyState = 0;
    onerror?: () => void;
    constructor() {
      super();
      setTimeout(() => this.onerror?.());
    }
    close() {}
  }
  globalThis.WebSocket = Failing as unknown as typeof WebSocket;
  const failing = await heard<Client<ServerToClientEvents, ClientToServerRequests>>((hear) => {
    const trying = connect("ws://127.0.0.1/ws", { onClose: ({ code }) => void (code === 1006 && hear(trying)) });
  });
  failing.close();
  globalThis.WebSocket = Working;

  // A time limit that no timer can have is none.
  for (const timeout of [Infinity, 2 ** 31]) {
    const patient = connect(`${url}/ws`, { timeout });
    expect(await patient.request("sum", 1, 2), 3);
    patient.close();
  }

  // A client that resumes receives what it has missed.
  const sessions: boolean[] = [];
  const kept: string[] = [];
  const resuming = connect(`${url}/ws`, { resume: true, onSession: (recovered) => void sessions.push(recovered) });
  resuming.on("delivered", ({ text }) => void kept.push(text));
  await resuming.request("echo", "one");
  for (const text of ["two", "three"]) {
    resuming.emit("echo", text);
    cut();
    await heard<void>((hear) => setTimeout(hear, 50));
    await resuming.request("count");
  }
  await resuming.request("echo", "four");
  expect(sessions, [false, true, true]);
  expect(kept, ["one", "two", "three", "four"]);
  resuming.close();

  // A reliable event is heard once, also if its ack was lost and the server has repeated it.
  const orders: string[] = [];
  const reliable = connect(`${url}/ws`, { resume: true });
  const ordering = reliable.on("delivered", ({ text }) => {
    orders.push(text);
    if (text === "two") cut();
  });
  expect(await reliable.request("deliver", "one"), undefined);
  expect(await failure(reliable.request("deliver", "two")).then((error) => (error as RequestError).code), "closed");
  await reliable.request("deliver", "three");
  expect(orders, ["one", "two", "three"]);
  // Without a listener it is not acked. Whoever listens later hears it.
  ordering();
  const unheard = failure(reliable.request("deliver", "four"));
  await reliable.request("count");
  cut();
  expect((await unheard) instanceof RequestError, true);
  reliable.on("delivered", ({ text }) => void orders.push(text));
  await reliable.request("deliver", "five");
  expect(orders, ["one", "two", "three", "four", "five"]);
  reliable.close();

  // Who is asked proves its identity again. When that has run out, the connection ends.
  let token = "";
  const refusals: unknown[] = [];
  let ended = (_code: number) => {};
  const proving = connect(`${url}/ws`, {
    auth: async () => ({ token }),
    onAuthError: (error) => void refusals.push(error instanceof RequestError && error.code),
    onClose: ({ code }) => ended(code),
  });
  expect(await proving.request("prove"), null);
  while (refusals.length === 0) await proving.request("count");
  expect(refusals, ["no_text"]);
  token = "good";
  while ((await proving.request("prove")) !== "good") await proving.request("count");
  expect(await proving.request("reauthenticate", { token: "own" }), 3);
  const expired = heard<number>((hear) => (ended = hear));
  proving.emit("expire");
  expect(await expired, 3000);
  // It connects again, where it may prove its identity anew.
  await proving.request("count");
  proving.close();

  // Who is refused learns why.
  const refused = await failure(connect(`${url}/refused`).request("count"));
  expect([(refused as RequestError).code, (refused as RequestError).message], ["closed", "members only"]);

  const admin = connect<AdminServerToClientEvents, AdminClientToServerRequests>(`${url}/admin`);
  expect(await admin.request("restart", 9), 9);
  admin.close();
  client.close();
  await heard<void>((hear) => setTimeout(hear, 100));
  expect([isClosed, lost], [true, 1]);
  expect(await failure(client.request("count")).then((error) => (error as RequestError).code), "closed");
}

/** A client can be kept, and passed on. */
export class Kept {
  client: Client<ServerToClientEvents, ClientToServerRequests> = connect("ws://127.0.0.1/ws");
  echo = (text: string): void => this.client.emit("echo", text);
}
