import type { Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "../server";

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;

// expected: TS2367
socket.emit("count", (answer) => typeof answer === "object" && answer.error.code === "no_text");
