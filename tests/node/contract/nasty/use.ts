// Uses of the contract whose TypeScript is hard to write; copied beside it when it is made.

import { type Socket, io } from "socket.io-client";
import {
  type AB2ClientToServerEvents, type AB2ClientToServerRequests, type AB2ServerToClientEvents,
  type ABClientToServerRequests, type ABServerToClientEvents, type Bare, type ClientToServerEvents, type Failed,
  type JsonValue, type NamespaceClientToServerRequests, type NamespaceServerToClientEvents,
  type ServerToClientEvents, type Sum, type ЧатClientToServerRequests, type ЧатServerToClientEvents, connect, request,
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

// An argument that may be anything is no ack, and is required.
client.emit("anything", 1);
client.emit("anything_unanswered", 1);
client.emit("mystery", 1);
client.emit("mystery_unanswered", 1);
const anything: Promise<boolean> = client.request("anything", {}, []);
const mystery: Promise<boolean> = client.request("mystery", {});
// @ts-expect-error the value is missing
client.emit("anything");
// @ts-expect-error the value is missing
client.emit("anything_unanswered");
// @ts-expect-error the value is missing
client.emit("mystery");
// @ts-expect-error the value is missing
client.emit("mystery_unanswered");
// @ts-expect-error there are two arguments
client.emit("anything", 1, 2, 3);

// An unknown answer may be of any number of values.
client.request("later", "").then((answer) => same<any>()(true, answer));
client.request("answer_raw", 1).then((answer) => same<any>()(true, answer));
client.request("answer_any", 1).then((answer) => same<any>()(true, answer));
client.request("answer_maybe").then((answer) => same<number | null>()(true, answer));
socket.emit("later", "", (...answer) => same<any[]>()(true, answer));
socket.emit("answer_raw", 1, (...answer: any[]) => answer.length);
socket.emit("later", "", (first: number, second: string) => `${first}${second}`);

// An answer that the server can do without may be left out.
client.on("picture", (_picture, answer) => answer());
client.on("picture", (_picture, answer) => answer(""));
client.on("perhaps", (_perhaps, answer) => answer());
client.on("pair", (_pair, answer) => answer("", null));
client.on("pair", (_pair, answer) => answer(""));
socket.on("picture", (_picture, answer) => answer());
socket.on("picture", (_picture, answer) => answer(new Uint8Array()));
socket.on("perhaps", (_perhaps, answer) => answer());
socket.on("pair", (_pair, answer) => answer(bytes));
// @ts-expect-error the first is missing
socket.on("pair", (_pair, answer) => answer());

// A payload with the fields of an `ArrayBufferView` is none.
client.on("view", (view) => same<string>()(true, view.buffer));
client.request("send_view", { buffer: "", byteLength: 0, byteOffset: 0 }).then(({ buffer }) => same<string>()(true, buffer));
socket.on("view", (view) => same<ArrayBuffer>()(true, view.buffer));
socket.emit("send_view", { buffer: new Uint8Array(), byteLength: 0, byteOffset: 0 }, () => {});

// Each namespace has names of its own.
const chat = connect<ЧатServerToClientEvents, ЧатClientToServerRequests>("ws://127.0.0.1/ws");
chat.emit("value", 1);
connect<NamespaceServerToClientEvents, NamespaceClientToServerRequests>("ws://127.0.0.1/ws").emit("rest", 1);
connect<ABServerToClientEvents, ABClientToServerRequests>("ws://127.0.0.1/ws").emit("value", 1);
connect<AB2ServerToClientEvents, AB2ClientToServerRequests>("ws://127.0.0.1/ws").emit("upload", "");

// `socket.io-client` checks events without a reply, too.
const sent: Promise<void> = request(socket, "words", 1, 2, 3, 4, 5);
const checked: Promise<boolean> = request(socket, "describe", { meta: 1, content: new Uint8Array() });
request(socket, "upload", bytes).then((answer) => same<ArrayBuffer>()(true, answer));
request(socket, "rest", 1, "a", []).then((answer) => same<boolean>()(true, answer));
request(socket, "rest_only", 1, "a").then((answer) => same<void>()(true, answer));
request(socket, "later", "").then((answer) => same<any>()(true, answer));
request(socket, "mystery", 1).then((answer) => same<boolean>()(true, answer));
// @ts-expect-error an argument is missing
request(socket, "words", 1, 2, 3, 4);
// @ts-expect-error it is a number
request(socket, "words", 1, 2, 3, 4, "5");
// @ts-expect-error there is no such event
request(socket, "word", 1);
const second: Socket<AB2ServerToClientEvents, AB2ClientToServerEvents> = io("/a/b");
request(second, "upload", bytes).then((answer) => same<ArrayBuffer>()(true, answer));
// @ts-expect-error the event is one of another namespace
request(second, "words", 1, 2, 3, 4, 5);

export { answered, anything, checked, described, failed, mystery, nothing, rest, sent, value };
