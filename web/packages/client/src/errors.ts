/**
 * Why a request failed.
 *
 * - `timeout`: no answer came in time.
 * - `queue_full`: the offline queue has reached its bound; nothing was queued.
 * - `disconnected`: there is no connection, or it was given up.
 * - a number: the gateway refused. 4003 not allowed, 4005 malformed, 4101 try again; or the
 *   close code that ended the connection for good.
 */
export type ErrorCode = number | "timeout" | "queue_full" | "disconnected";

export class GatewayError extends Error {
  readonly code: ErrorCode;
  /** With `disconnected`: the close code of the connection over which the request had gone out. */
  readonly closed: number | undefined;

  constructor(code: ErrorCode, message: string, closed?: number) {
    super(message);
    this.name = "GatewayError";
    this.code = code;
    this.closed = closed;
  }
}
