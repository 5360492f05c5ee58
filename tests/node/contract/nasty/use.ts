// Uses of the contract whose TypeScript is hard to write; copied beside it when it is made.

import { type Socket, io } from "socket.io-client";
import {
  type Bare, type ClientToServerEvents, type Failed, type JsonValue, type ServerToClientEvents, type Sum, connect,
} from "./nasty";

/** Compiles if the two are the same type. */
function same<T>(): <U>(is: (<X>() => X extends T ? 1 : 2) extends <X>() => X extends U ? 1 : 2 ? true : false, of: U) => void {
  return () => {};
}

const bytes = new ArrayBuffer(1);
const client = connect("ws://127.0.0.1/ws");
const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();

// What has no binary data in it is as it was, whatever else there is.
client.on("note", ({ glob, meta }) => {
  same<string>()(true, glob);
  same<JsonValue>()(true, meta);
});
client.on("summed", ({ sum, parts, maybe }) => {
  same<Sum>()(true, sum);
  const [first = 0] = parts;
  same<Sum>()(true, first);
  same<Sum | null>()(true, maybe);
});
client.on("bare", (bare) => bare.next?.next?.name.length);
client.on("own", ({ map, url, success }) => map.own + url.own + success.own);
socket.on("note", ({ meta }) => same<JsonValue>()(true, meta));

// What has some is text in envelopes, however deep it is.
client.on("tree", ({ value, content, children }) => {
  same<JsonValue>()(true, value);
  same<string | null>()(true, content);
  same<string | null | undefined>()(true, children[0]?.children[1]?.content);
  return children.map((child) => child.content);
});
client.on("laden", ({ next, content }) => {
  same<Bare | null>()(true, next);
  same<string>()(true, content);
});
client.on("parts", (parts) => {
  if (typeof parts === "string") return;
  if (!Array.isArray(parts)) return same<string>()(true, parts.name);
  for (const part of parts) if (typeof part !== "string" && !Array.isArray(part)) same<string>()(true, part.name);
});
socket.on("tree", ({ children }) => same<ArrayBuffer | null | undefined>()(true, children[0]?.content));

client.emit("describe", { meta: { a: [1, null] }, content: "" });
const described: Promise<boolean> = client.request("describe", { meta: [{}], content: "" });
socket.emit("describe", { meta: { a: [1, null] }, content: new Uint8Array() }, () => {});
const answered: Promise<unknown> = socket.emitWithAck("describe", { meta: 1, content: bytes });

client.emit("send_parts", ["", [{ name: "a", part: [""] }]]);
// @ts-expect-error binary data is text here
client.emit("send_parts", [[bytes]]);
socket.emit("send_parts", [new Blob([]), [{ name: "a", part: [bytes] }]], () => {});
// @ts-expect-error and here it is not
socket.emit("send_parts", [[""]], () => {});

const value: Promise<JsonValue> = client.request("value", [[1], { a: "" }]);
// @ts-expect-error the value is missing
client.emit("value");
// @ts-expect-error a function is no value
client.emit("value", () => {});

// Arguments that are anything have others before them, and the answer behind them.
client.emit("rest", 1);
client.emit("rest", 1, "a", []);
// @ts-expect-error a number is first
client.emit("rest", "a");
const rest: Promise<boolean> = client.request("rest", 1, "a", []);
socket.emit("rest", 1, "a", [], (answer: boolean | Failed<"first" | "second">) => answer);
// @ts-expect-error it is answered with a boolean
socket.emit("rest", 1, "a", [], (answer: string | Failed<"first" | "second">) => answer);
socket.emitWithAck("rest", 1, "a", []).then((answer) => same<boolean | Failed<"first" | "second">>()(true, answer));
// @ts-expect-error a number is first
socket.emit("rest", "a", () => {});
const nothing: Promise<unknown> = client.request("rest_only", 1, "a");
socket.emit("rest_only");
socket.emit("rest_only", 1, "a", () => {});

client.emit("gap", 1, undefined, 2);
// @ts-expect-error nothing is left out before what is not
client.emit("gap", 1);

client.on("literals", ({ template, quoted }) => {
  same<`a,${string}}` | "b|}" | `${`}${number}`},{`>()(true, template);
  same<"it's, {" | '"}'>()(true, quoted);
});
client.on("with", ({ x }) => x);
client.emit("words", 1, 2, 3, 4, 5);
const failed: Promise<void> = client.request("fail", "First");

export { answered, described, failed, nothing, rest, value };
