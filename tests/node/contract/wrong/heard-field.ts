import type { Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "../server";

declare const socket: Socket<ServerToClientEvents, ClientToServerEvents>;

// expected: TS2551
socket.on("delivered", (delivered) => delivered.txt);
