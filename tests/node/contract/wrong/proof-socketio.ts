import { io, type Socket } from "socket.io-client";
import { type ClientToServerEvents, type ServerToClientEvents, reauthenticate } from "../server";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
// expected: TS2322
reauthenticate(socket, async () => ({ secret: "good" }));
