import type { GetToken } from "./connection.js";
import type { WebSocketLike } from "./link.js";

export interface Options {
  /** Where the gateway is: `wss://example.com/ws`, or in a page also `/ws`. */
  url: string | URL;
  /** The token, where there is only one. Without `getToken` the client stops when it expires. */
  token?: string;
  /** Gets a token: for the first connection, when one has expired or was revoked, and before it expires. */
  getToken?: GetToken;
  /**
   * The name of this device, at most 64 bytes: the gateway keeps for each how far its inbox was
   * read. By default a random name that the browser keeps; `false` for none.
   */
  device?: string | false;
  /** How long an answer may take, in milliseconds (10,000). */
  requestTimeout?: number;
  /** What may wait to be sent: messages (1,000) and bytes of them (1 MiB); `persist` keeps it over a reload. */
  queue?: { count?: number; bytes?: number; persist?: boolean };
  /** One connection for all tabs of the same user, where the browser can; else one for each. */
  shared?: boolean;
  /** Acknowledge messages of the inbox when their listeners have returned (true). Else see `ack`. */
  autoAck?: boolean;
  /** The WebSocket to use where there is none, as in Node 20: that of package ws. */
  WebSocket?: WebSocketLike;
}

export interface SendOptions {
  /** The message's id, for a message that may have been sent before. */
  id?: string;
  /** Passed on beside the content. */
  data?: Record<string, unknown>;
  /** `false`: now or never, for what is worthless a moment later. */
  queue?: boolean;
}
