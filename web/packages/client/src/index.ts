export { GatewayClient } from "./client.js";
export { type GetToken, type TokenReason } from "./connection.js";
export { GatewayError, type ErrorCode } from "./errors.js";
export type { WebSocketLike } from "./link.js";
export type { Options, SendOptions } from "./options.js";
export type * from "./protocol.js";
