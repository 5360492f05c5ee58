import type { Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "../server";

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;

// expected: TS2339
socket.emit("message", { to: "", text: "" }, (answer) => answer.length);
