
/**
 * Sends a new proof of identity over a socket of `socket.io-client` when the server asks for one,
 * some time before the old one runs out. `auth` returns it. `onError` is called if `auth` has failed,
 * or the server refused what it returned. Returns a function that stops this.
 */
export function reauthenticate<P extends ArgumentsOf<ClientToServerRequests["reauthenticate"]>[0]>(
  socket: AskedSocket & Sender<"reauthenticate", ArgumentsOf<ClientToServerEvents["reauthenticate"]>>,
  auth: () => P | globalThis.Promise<P>,
  onError?: (error: unknown) => void,
): () => void;
export function reauthenticate(socket: any, auth: () => any, onError?: (error: unknown) => void): () => void {
  const answer = async () => {
    try {
      await request(socket, "reauthenticate", await auth());
    } catch (error) {
      onError?.(error);
    }
  };
  socket.on("reauthenticate", answer);
  return () => void socket.off("reauthenticate", answer);
}

/** A socket of `socket.io-client` that the server asks. */
interface AskedSocket {
  on(event: "reauthenticate", listener: (...asked: any[]) => void): unknown;
  off(event: "reauthenticate", listener: (...asked: any[]) => void): unknown;
}
