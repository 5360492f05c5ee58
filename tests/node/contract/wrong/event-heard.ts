import type { Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "../server";

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;

// expected: TS2345
socket.on("deliverd", () => {});
