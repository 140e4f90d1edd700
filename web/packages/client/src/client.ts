import { Connection } from "./connection.js";
import { thisDevice } from "./device.js";
import { Duplicates, Overlap } from "./duplicates.js";
import { Emitter } from "./emitter.js";
import { GatewayError } from "./errors.js";
import { Inbox } from "./inbox.js";
import { webSockets, type Dialer } from "./link.js";
import type { Options, SendOptions } from "./options.js";
import { Outbox } from "./outbox.js";
import type {
  Events,
  Frame,
  Lost,
  Notice,
  Position,
  RoomPresence,
  State,
  StateChange,
  UsersPresence,
  Welcome,
} from "./protocol.js";
import { Refresh } from "./refresh.js";
import { Requests } from "./requests.js";
import { Rooms } from "./rooms.js";
import type { Store } from "./store.js";
import { claims } from "./token.js";
import type { Wire } from "./wire.js";

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** A promise that nobody has to await: its failure is no unhandled rejection. */
function optional<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/**
 * A user's connection to the gateway, for as long as it is wanted: it is opened again when it
 * ends, rooms are joined again and what was missed in them is fetched, and what was sent in
 * between goes out.
 *
 *     const gateway = new GatewayClient({ url: "/ws", getToken: () => fetchToken() });
 *     gateway.on("room_message", ({ from_name, content }) => show(from_name, content));
 *     await gateway.connect();
 *     await gateway.joinRoom("chat:lobby");
 *     await gateway.sendToRoom("chat:lobby", { text: "hello" });
 */
export class GatewayClient {
  /** What `welcome` has told last. */
  session: Welcome | undefined;

  readonly #options: Options;
  readonly #timeout: number;
  readonly #sockets: Dialer;
  readonly #events = new Emitter<Events>();
  readonly #requests = new Requests();
  readonly #duplicates = new Duplicates();
  readonly #overlap = new Overlap();
  readonly #watched = new Set<string>();
  readonly #connection: Connection;
  readonly #refresh: Refresh;
  readonly #outbox: Outbox;
  readonly #rooms: Rooms;
  readonly #inbox: Inbox;
  #shared: Dialer | undefined;
  #store: Store | undefined;
  #user: string | undefined;
  #waiters: Waiter[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#timeout = options.requestTimeout ?? 10_000;
    const { count = 1000, bytes = 2 ** 20 } = options.queue ?? {};
    this.#sockets = webSockets(options.WebSocket ?? globalThis.WebSocket);

    const deliver = (frame: Frame): void => this.#deliver(frame);
    const ask = (frame: Frame): Promise<Frame> => this.#ask(frame);
    const connected = (): boolean => !!this.#connection.wire;
    const lost = (lost: Lost): void => this.#events.emit("gateway:lost", lost);

    this.#outbox = new Outbox(count, bytes, {
      connected,
      ask,
      store: () => this.#store,
      changed: (count, bytes) => this.#events.emit("gateway:queue", { count, bytes }),
      unsent: (frame, error) => this.#events.emit("gateway:unsent", { frame, error }),
    });
    this.#rooms = new Rooms({
      connected,
      ask,
      deliver,
      lost,
      refused: (room, { code, message }) =>
        this.#events.emit("error", { type: "error", room, content: { code: code as number, message } }),
    });
    this.#inbox = new Inbox({
      deliver,
      lost,
      seen: (offset) => options.autoAck !== false && this.ack(offset),
      send: (frame) => this.#connection.wire?.send(frame),
    });
    this.#connection = new Connection(
      {
        prepare: () => this.#prepare(),
        state: (change) => this.#state(change),
        welcome: (frame, wire) => this.#welcome(frame, wire),
        frame: (frame, wire, text) => this.#frame(frame, wire, text),
        ended: (wire, code) => this.#ended(wire, code),
        busy: () => this.#rooms.joining,
      },
      options.getToken,
    );
    if (options.token !== undefined) this.#connection.use(options.token);
    this.#refresh = new Refresh({
      claims: () => this.#connection.claims,
      skew: () => this.#connection.skew,
      renew: async () => this.refresh((await options.getToken?.("refresh")) ?? ""),
    });
  }

  get state(): State {
    return this.#connection.state;
  }

  /** How many messages wait to be sent, or for their `ack`. */
  get queued(): number {
    return this.#outbox.count;
  }

  get connected(): boolean {
    return this.state === "connected";
  }

  /**
   * Calls listener for each frame of a type, and for the client's own events, whose names begin
   * with `gateway:`. Returns the function that ends it.
   */
  on<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): () => void;
  on(type: string, listener: (frame: Frame) => void): () => void;
  on(type: string, listener: (event: never) => void): () => void {
    return this.#events.on(type as keyof Events, listener as (event: unknown) => void);
  }

  /**
   * Connects, and stays connected until `disconnect`. Resolves with the first `welcome`, however
   * long that takes; rejects when the gateway says stop. With a token of another user everything
   * begins anew: rooms, what is watched, what waits to be sent.
   */
  connect(token?: string): Promise<void> {
    if (token !== undefined) {
      const { user } = claims(token);
      const same = user === this.#user;
      if (this.connected && same) return optional(this.refresh(token));
      if (!same && this.state !== "idle") this.disconnect();
      this.#connection.use(token);
      // At once: what is sent, joined and watched from now on is the next user's.
      this.#become(user);
    }
    if (this.connected) return Promise.resolve();
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#connection.connect();
    return optional(done);
  }

  /** Ends the connection. Rooms, watched users and what waits to be sent are kept for the next `connect`. */
  disconnect(): void {
    this.#connection.disconnect();
  }

  /**
   * Gives the gateway another token of the same user, over the connection that is there. The client
   * does so by itself before a token expires, if it has `getToken`.
   */
  async refresh(token: string): Promise<void> {
    if (this.#connection.wire) await this.request({ type: "refresh", content: { token } });
    this.#connection.use(token);
    this.#refresh.start();
  }

  /**
   * Joins a room, now and after every reconnect, until `leaveRoom`. Resolves with `joined`. With
   * `since`, what was sent behind that position comes too, or `gateway:lost`.
   */
  joinRoom(room: string, since?: Position): Promise<Frame> {
    return optional(this.#rooms.join(room, since));
  }

  leaveRoom(room: string): Promise<void> {
    return optional(this.#rooms.leave(room));
  }

  /** The last message of a room that listeners have got, for a `joinRoom` in a later visit. */
  position(room: string): Position | undefined {
    return this.#rooms.position(room);
  }

  sendToRoom(room: string, content: unknown, options?: SendOptions): Promise<Frame> {
    return this.send({ type: "room_message", room, content }, options);
  }

  sendToUser(to: string, content: unknown, options?: SendOptions): Promise<Frame> {
    return this.send({ type: "user_message", to, content }, options);
  }

  /**
   * Sends a message, and resolves with the gateway's `ack`: Redis has it. Without a connection it
   * waits in the queue. Messages leave in the order of the calls, one after the other; one whose
   * `ack` was cut off is sent again with the same id, by which rooms with history know it.
   */
  send(frame: Frame, { id, data, queue }: SendOptions = {}): Promise<Frame> {
    const message = { ...frame, ...(id !== undefined && { id }), ...(data && { data }) };
    if (queue !== false) return optional(this.#outbox.push(message));
    if (this.#connection.wire) return optional(this.#ask(message));
    return optional(Promise.reject(new GatewayError("disconnected", "there is no connection")));
  }

  /** Sends a frame and resolves with what answers it; asks again if the connection ends before. */
  request(frame: Frame, timeout = this.#timeout): Promise<Frame> {
    return optional(this.#requests.ask(this.#connection.wire, { ...frame }, timeout, true));
  }

  /** Sends a frame and resolves with what answers it; fails with the connection. */
  #ask(frame: Frame): Promise<Frame> {
    return this.#requests.ask(this.#connection.wire, frame, this.#timeout, false);
  }

  /** Who is in a room, or which users are online. */
  presence(of: { room: string }): Promise<RoomPresence>;
  presence(of: { users: string[] }): Promise<UsersPresence>;
  async presence(of: object): Promise<unknown> {
    return (await this.request({ type: "presence", content: of })).content;
  }

  /** Has `user_status` sent when these users come and go, and resolves with those who are online. */
  async watch(users: string[]): Promise<string[]> {
    for (const user of users) this.#watched.add(user);
    return this.#online(users, await this.request({ type: "watch", content: { users } }));
  }

  async unwatch(users: string[]): Promise<void> {
    for (const user of users) this.#watched.delete(user);
    if (this.#connection.wire) await this.request({ type: "unwatch", content: { users } });
  }

  /** Marks the inbox as read by this device up to an offset. Nothing before it comes again. */
  ack(offset: number): void {
    this.#inbox.ack(offset);
  }

  /** Gets ready for the user whose token is at hand. */
  async #prepare(): Promise<[Dialer, string]> {
    const { url, device, shared } = this.#options;
    const full = new URL(url, (globalThis.location as Location | undefined)?.href);
    full.protocol = full.protocol.replace("http", "ws");
    const name = device ?? thisDevice();
    if (name) full.searchParams.set("device", name);
    const { user } = this.#connection.claims ?? {};
    this.#become(user);
    // What not every page uses is loaded when it is asked for.
    if (this.#options.queue?.persist && user !== undefined && !this.#store) {
      const { openStore } = await import("./store.js");
      // Another user may have come meanwhile, who must not get what this one has left.
      if (this.#user === user) {
        this.#store ??= openStore(`${user} ${full.host}${full.pathname}`, (item) =>
          this.#outbox.restore(item),
        );
        this.#outbox.save();
      }
    }
    if (shared) {
      const { sharedByTabs } = await import("./tabs.js");
      this.#shared ??= sharedByTabs(this.#sockets);
    }
    return [this.#shared ?? this.#sockets, full.href];
  }

  /** Works for a user from now on. If that is another one, what belonged to the last goes. */
  #become(user: string | undefined): void {
    if (this.#user === user) return;
    if (this.#user !== undefined) {
      const error = new GatewayError("disconnected", "another user has connected");
      this.#outbox.clear(error);
      this.#rooms.clear(error);
      this.#watched.clear();
      this.#inbox.clear();
      this.#store?.close();
      this.#store = undefined;
    }
    this.#user = user;
  }

  #state(change: StateChange): void {
    const { state, code, reason } = change;
    if (state !== "connected") this.#refresh.stop();
    if (state === "connected") {
      for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    } else if (state === "closed" || state === "idle") {
      this.#requests.disconnected();
      const error = new GatewayError(code ?? "disconnected", reason ?? "disconnected");
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    }
    this.#events.emit("gateway:state", change);
  }

  #welcome(frame: Frame, wire: Wire): void {
    this.session = frame.data as unknown as Welcome;
    this.#inbox.joined(this.session.inbox);
    this.#events.emit("welcome", frame as unknown as Events["welcome"]);
    this.#rooms.connected();
    const users = [...this.#watched];
    if (users.length > 0) {
      const again = this.#ask({ type: "watch", content: { users } });
      again.then((answer) => this.#online(users, answer)).catch(() => undefined);
    }
    this.#requests.connected(wire);
    this.#outbox.flush();
    if (this.#connection.getToken && !this.#shared?.attached) this.#refresh.start();
  }

  #online(users: string[], answer: Frame): string[] {
    const { online } = answer.content as { online: string[] };
    this.#events.emit("gateway:online", { users, online });
    return online;
  }

  #frame(frame: Frame, wire: Wire, text: string): void {
    if (frame.type === "joined") {
      if (frame.room === undefined) this.#inbox.joined(frame);
      else this.#rooms.joined(frame);
    }
    if (["ack", "error", "joined", "left", "pong", "presence"].includes(frame.type)) {
      if (!this.#requests.answer(frame) && frame.type === "error") {
        this.#events.emit("error", frame as Frame<Notice>);
      }
      if (frame.type === "joined" || frame.type === "left") this.#events.emit(frame.type, frame);
      return;
    }
    if (frame.offset === undefined && this.#connection.overlapping) {
      if (this.#overlap.has(text, wire === this.#connection.wire)) return;
    }
    if (frame.room !== undefined) this.#rooms.message(frame);
    else this.#inbox.message(frame);
  }

  #deliver(frame: Frame): void {
    if (this.#duplicates.has(frame)) return;
    if (!frame.type.startsWith("gateway:") && frame.type !== "*") {
      this.#events.emit(frame.type as keyof Events, frame);
    }
    this.#events.emit("*", frame);
  }

  #ended(wire: Wire, code: number): void {
    this.#requests.disconnected(wire, code);
    if (!this.#connection.overlapping) this.#overlap.clear();
    this.#outbox.flush();
  }
}
