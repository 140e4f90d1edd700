import { vi } from "vitest";
import { GatewayClient, type Options } from "@ginforge/gateway-client";
import type { Frame } from "@ginforge/gateway-client";

/** One socket that a client has opened to the fake gateway, seen from the gateway. */
export class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  /** What the client has sent. */
  readonly received: Frame[] = [];
  /** The client has closed it. */
  closed = false;
  /** Nothing gets through in either direction, and nobody is told. */
  dead = false;

  constructor(
    readonly gateway: FakeGateway,
    readonly url: string,
    readonly protocols: string[],
  ) {}

  get token(): string | undefined {
    return this.protocols[1];
  }

  send(text: string): void {
    if (this.dead || this.closed) return;
    const frame = JSON.parse(text) as Frame;
    this.received.push(frame);
    this.gateway.answer(this, frame);
  }

  close(): void {
    this.closed = true;
  }

  /** The gateway sends a frame. */
  push(frame: Frame): void {
    if (!this.dead && !this.closed) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** The gateway, or the network, closes. */
  drop(code = 1006, reason: string | object = ""): void {
    if (this.dead || this.closed) return;
    this.closed = true;
    this.onclose?.({ code, reason: typeof reason === "string" ? reason : JSON.stringify(reason) });
  }

  of(type: string): Frame[] {
    return this.received.filter((frame) => frame.type === type);
  }
}

interface Log {
  epoch: string;
  messages: Frame[];
}

/** A gateway in memory: one node, with history in the rooms that `logs` names. */
export class FakeGateway {
  readonly sockets: FakeSocket[] = [];
  /** What happens to a new socket; by default it is welcomed. */
  accept: (socket: FakeSocket) => void = (socket) => this.welcome(socket);
  /** Takes a frame in place of the gateway by returning true. */
  intercept: (socket: FakeSocket, frame: Frame) => boolean = () => false;
  window = 5000;
  inbox: { epoch: string; offset: number } | undefined;
  readonly logs = new Map<string, Log>();

  readonly WebSocket: new (url: string, protocols: string[]) => FakeSocket;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const gateway = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(gateway, url, protocols);
        gateway.sockets.push(this);
        setTimeout(() => !this.closed && gateway.accept(this), 1);
      }
    };
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no client has connected");
    return socket;
  }

  client(options: Partial<Options> = {}): GatewayClient {
    return new GatewayClient({
      url: "ws://gateway.test/ws",
      token: token(),
      device: false,
      WebSocket: this.WebSocket,
      ...options,
    });
  }

  welcome(socket: FakeSocket, data: Record<string, unknown> = {}): void {
    socket.push({
      type: "welcome",
      content: { code: 0, message: "connected", level: "info" },
      data: {
        client_id: "c1",
        user_id: "ann",
        node: "n1",
        server_time: new Date().toISOString(),
        ping_interval: 25,
        reconnect_window_ms: this.window,
        protocol: 1,
        ...(this.inbox && { inbox: this.inbox }),
        ...data,
      },
    });
  }

  history(room: string, count = 0, epoch = "e1"): Log {
    const messages = Array.from({ length: count }, (_, i) => message(room, i + 1));
    const log = { epoch, messages };
    this.logs.set(room, log);
    return log;
  }

  answer(socket: FakeSocket, frame: Frame): void {
    if (this.intercept(socket, frame)) return;
    const { id, type, content } = frame;
    if (type === "ping") socket.push({ type: "pong" });
    if (type === "join_room") this.#join(socket, frame);
    if (type === "leave_room") socket.push({ type: "left", id: id ?? "", room: frame.room ?? "" });
    if (id === undefined) return;
    if (type === "watch") {
      const { users } = content as { users: string[] };
      socket.push({ type: "ack", id, content: { online: users.slice(0, 1) } });
      return;
    }
    socket.push({ type: "ack", id });
  }

  #join(socket: FakeSocket, { id, content }: Frame): void {
    const asked = content as string | { room: string; since: { epoch: string; offset: number } };
    const room = typeof asked === "string" ? asked : asked.room;
    const since = typeof asked === "string" ? undefined : asked.since;
    const log = this.logs.get(room);
    const named = id === undefined ? {} : { id };
    if (!log) {
      socket.push({ type: "joined", room, ...named });
      return;
    }
    const offset = log.messages.at(-1)?.offset ?? 0;
    const first = log.messages[0]?.offset ?? 1;
    const recovered = since?.epoch === log.epoch && since.offset + 1 >= first && since.offset <= offset;
    socket.push({ type: "joined", room, ...named, epoch: log.epoch, offset, recovered });
    if (!recovered) return;
    for (const message of log.messages) if ((message.offset ?? 0) > since.offset) socket.push(message);
  }
}

export function message(room: string, offset?: number, more: Partial<Frame> = {}): Frame {
  return {
    type: "room_message",
    room,
    from: "bob",
    content: { n: offset },
    ...(offset !== undefined && { offset }),
    ...more,
  };
}

/** A token of a user, good for some seconds from now. */
export function token(user = "ann", seconds?: number): string {
  const now = Math.floor(Date.now() / 1000);
  const body = { user_id: user, iat: now, ...(seconds !== undefined && { exp: now + seconds }) };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  return `${encode({ alg: "HS256" })}.${encode(body)}.x`;
}

/** Collects the events of a type. */
export function collect<T = Frame>(client: GatewayClient, type: string): T[] {
  const events: T[] = [];
  client.on(type, (event) => events.push(event as T));
  return events;
}

/** Lets some time pass. */
export async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
}
