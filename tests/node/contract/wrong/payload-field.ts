import type { Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "../server";

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;

// expected: TS2561
socket.emit("message", { to: "", txt: "" }, () => {});
