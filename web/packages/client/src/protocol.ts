/**
 * The envelope, in both directions. `content` is the application's and opaque to the gateway;
 * `from`, `from_name`, `timestamp` and `offset` are the gateway's.
 */
export interface Frame<Content = unknown, Data = Record<string, unknown>> {
  type: string;
  /** Names a request, or a message wherever it goes. At most 128 bytes. */
  id?: string;
  from?: string;
  from_name?: string;
  to?: string;
  room?: string;
  content?: Content;
  data?: Data;
  /** Unix seconds. */
  timestamp?: number;
  /** Where the message stands in the history of its room, or in the user's inbox. */
  offset?: number;
  /** In `joined`: the life of the history that offset counts in. */
  epoch?: string;
  /** In `joined`: all that was missed follows. */
  recovered?: boolean;
  [field: string]: unknown;
}

/** A place in the history of a room or in an inbox. Offsets count within one epoch only. */
export interface Position {
  epoch: string;
  offset: number;
}

/** What `welcome` tells of the connection. */
export interface Welcome {
  client_id: string;
  user_id: string;
  node: string;
  server_time: string;
  /** Seconds. */
  ping_interval: number;
  reconnect_window_ms: number;
  protocol: number;
  /** Messages of the inbox that this device has not acknowledged. */
  unread?: number;
  /** Where the inbox is; without `recovered`, messages have left it that were not acknowledged. */
  inbox?: Position & { recovered?: boolean };
}

/** The content of `welcome`, `system` and `error`. */
export interface Notice {
  code: number;
  message: string;
  level?: string;
  /** In `system`, what has happened to the node: `degraded` or `restored`. */
  event?: string;
}

export interface Notification {
  title: string;
  body?: string;
  icon?: string;
  link?: string;
  category?: string;
}

export interface DataUpdate {
  entity: string;
  action: string;
  id: string;
  data?: unknown;
}

export interface UserStatus {
  user_id: string;
  user_name?: string;
  status: "online" | "offline";
}

/** Who is in a room. */
export interface RoomPresence {
  room: string;
  connections: number;
  users: { user_id: string; user_name: string; devices: number }[];
}

/** Who of the users asked for is online. */
export interface UsersPresence {
  users: { user_id: string; status: "online" | "offline" }[];
}

/**
 * The frames that the gateway and its backends send, by type. Backends may send any type;
 * an application declares its own by merging into this interface:
 *
 *     declare module "@ginforge/gateway-client" {
 *       interface FrameTypes { order_shipped: Frame<{ order: string }> }
 *     }
 */
export interface FrameTypes {
  welcome: Frame<Notice, Welcome>;
  room_message: Frame;
  user_message: Frame;
  notification: Frame<Notification, { notification_id: string; read: boolean }>;
  system: Frame<Notice>;
  data_update: Frame<DataUpdate>;
  broadcast: Frame;
  user_status: Frame<UserStatus>;
  joined: Frame;
  left: Frame;
  error: Frame<Notice>;
}

/**
 * What the connection is doing.
 *
 * - `idle`: not asked to connect, or `disconnect()` was called.
 * - `connecting`: an attempt is under way.
 * - `connected`: `welcome` has come.
 * - `waiting`: between two attempts.
 * - `closed`: the server said stop (close codes 40xx), or wants a token that nobody can give.
 */
export type State = "idle" | "connecting" | "connected" | "waiting" | "closed";

/** A change of state and, after a connection has ended, why. */
export interface StateChange {
  state: State;
  /** The close code of the connection that has ended; 1006 when it broke. */
  code?: number;
  reason?: string;
  /** Milliseconds until the next attempt, in state `waiting`. */
  delay?: number;
}

/** Messages are missing for good: history no longer reaches back to what was seen last. */
export interface Lost {
  /** The room, or undefined for the user's inbox. */
  room: string | undefined;
  /** The last message that was seen. */
  since: Position;
  /** Where it goes on. */
  now: Position;
}

/** The client's own events. A frame of one of these types is only seen by listeners for `*`. */
export interface ClientEvents {
  "gateway:state": StateChange;
  /** What `recovered: false` means to the application: load afresh what it shows. */
  "gateway:lost": Lost;
  /** The answer to watching, also after each reconnect: who of `users` is online now. */
  "gateway:online": { users: string[]; online: string[] };
  /** How much waits to be sent. */
  "gateway:queue": { count: number; bytes: number };
  /** A queued message was refused. Its sender's promise, if the page still has it, rejects too. */
  "gateway:unsent": { frame: Frame; error: Error };
  /** Every frame but answers to requests, after the listeners of its own type. */
  "*": Frame;
}

export type Events = FrameTypes & ClientEvents;
