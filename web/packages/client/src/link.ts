/** One end of a connection. */
export interface Link {
  send(text: string): void;
  /** Ends it; nothing is heard from it any more. */
  close(): void;
}

/** What a link tells its owner, on the event loop, never from within a call of the owner's. */
export interface LinkEvents {
  message(text: string): void;
  close(code: number, reason: string): void;
}

/** Opens links. */
export interface Dialer {
  open(url: string, token: string, events: LinkEvents): Link;
  /** Opening costs the server nothing: another tab has the connection. */
  readonly attached?: boolean;
  /** Gives up what is held between links. */
  stop?(): void;
}

/** What the client needs of a WebSocket: the browser's, Node's, or that of package ws. */
export type WebSocketLike = new (
  url: string,
  protocols: string[],
) => {
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
};

/**
 * Opens WebSockets. The token travels in the list of subprotocols, not in the address, which
 * proxies write to their logs.
 */
export function webSockets(WebSocketClass: WebSocketLike): Dialer {
  return {
    open(url, token, events) {
      const socket = new WebSocketClass(url, ["bearer", token]);
      socket.onmessage = ({ data }: { data: string }) => events.message(data);
      socket.onclose = ({ code, reason }: { code: number; reason: string }) => events.close(code, reason);
      return {
        send: (text) => socket.send(text),
        close() {
          socket.onmessage = socket.onclose = null;
          // package ws reports a handshake that was given up; browsers report nothing.
          socket.onerror = () => undefined;
          socket.close(1000);
        },
      };
    },
  };
}
