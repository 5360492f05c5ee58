// A network of the page that can be cut: `WebSocket` as the generated client uses it, and a switch.

const sockets = new Set<PageSocket>();
let isCut = false;

export const network = {
  /** Connections end without a farewell, and new ones wait. */
  cut(): void {
    isCut = true;
    for (const socket of sockets) socket.cut();
  },
  mend(): void {
    isCut = false;
    for (const socket of sockets) socket.open();
  },
};

class PageSocket {
  static readonly CONNECTING = WebSocket.CONNECTING;
  static readonly OPEN = WebSocket.OPEN;
  static readonly CLOSING = WebSocket.CLOSING;
  static readonly CLOSED = WebSocket.CLOSED;

  onopen: (() => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>) => void) | null = null;
  onerror: (() => void) | null = null;
  #url: string | URL;
  #socket: WebSocket | undefined;
  #isClosed = false;

  constructor(url: string | URL) {
    this.#url = url;
    sockets.add(this);
    if (!isCut) this.open();
  }

  get readyState(): number {
    if (this.#isClosed) return PageSocket.CLOSED;
    return this.#socket?.readyState ?? PageSocket.CONNECTING;
  }

  open(): void {
    if (this.#socket) return;
    const socket = new WebSocketOfBrowser(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#isClosed || this.onopen?.();
    socket.onmessage = (event) => this.#isClosed || this.onmessage?.(event);
    socket.onerror = () => this.#isClosed || this.onerror?.();
    socket.onclose = (event) => this.#close(event);
  }

  send(data: string): void {
    this.#socket?.send(data);
  }

  close(code?: number): void {
    if (this.#socket) this.#socket.close(code);
    else this.#close({ code: 1006, reason: '', wasClean: false });
  }

  cut(): void {
    if (!this.#socket) return;
    this.#close({ code: 1006, reason: '', wasClean: false });
    // A code for which the server keeps the session.
    this.#socket.close(4000);
  }

  #close(event: Pick<CloseEvent, 'code' | 'reason' | 'wasClean'>): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    sockets.delete(this);
    this.onclose?.(event);
  }
}

const WebSocketOfBrowser = WebSocket;
Object.assign(globalThis, { WebSocket: PageSocket });
