import type { Overview } from "./figures.ts";

/** What the internal API answers when it does not do what it was asked. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** Whether another key might help. */
  get wantsKey(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface Access {
  url: string;
  token: string;
}

export interface Device {
  node: string;
  client_id: string;
  device_id?: string;
}

export interface Member {
  user_id: string;
  user_name: string;
  devices: number;
}

export interface RoomCount {
  room: string;
  connections: number;
}

export type Stage = "ingress" | "appended" | "received" | "waits" | "written" | "dropped" | "acked";

/** One thing that happened to a message; `at` in microseconds of Unix time. */
export interface TraceEvent {
  at: number;
  node: string;
  stage: Stage;
  via?: string;
  channel?: string;
  epoch?: string;
  offset?: number;
  user_id?: string;
  device_id?: string;
  client_id?: string;
  reason?: string;
}

/** An answer that is put together from those of all nodes. */
export interface Gathered {
  /** Nodes that did not answer in time, by their ids. */
  missing_nodes?: string[];
}

/** What happened to a message; nodes that did not look for it yet are missing too. */
export interface Trace extends Gathered {
  id: string;
  until: string;
  events: TraceEvent[];
  skipped?: Partial<Record<Stage, number>>;
}

/** The internal API, as the holder of a key; "" where none is needed. */
export class Api {
  constructor(
    private readonly key: string,
    private readonly base = "/api/v1/",
  ) {}

  console = (): Promise<Access> => this.#call("POST", "console", {});

  past = (): Promise<{ moments: Overview[] }> => this.#call("GET", "console/past");

  /** Users online whose ids begin with a text, but for the one that is the text. */
  users = async (prefix: string): Promise<Member[]> => {
    const query = new URLSearchParams({ after: prefix, limit: "20" });
    const { users } = await this.#call<{ users: Member[] | null }>("GET", `users?${query.toString()}`);
    return (users ?? []).filter(({ user_id }) => user_id.startsWith(prefix));
  };

  devices = (user: string): Promise<{ devices: Device[] } & Gathered> =>
    this.#call("GET", `users/${encodeURIComponent(user)}/devices`);

  disconnect = (user: string, client: string): Promise<{ connections: number }> =>
    this.#call("POST", `users/${encodeURIComponent(user)}/disconnect`, { client_id: client });

  rooms = (prefix: string): Promise<{ rooms: RoomCount[] | null } & Gathered> =>
    this.#call("GET", `rooms?${new URLSearchParams({ prefix, limit: "20" }).toString()}`);

  members = (room: string): Promise<{ users: Member[] | null; connections: number } & Gathered> =>
    this.#call("GET", `rooms/${encodeURIComponent(room)}/members`);

  publish = (channel: string, message: object): Promise<{ offset?: number }> =>
    this.#call("POST", "publish", { channel, message });

  drain = (node: string): Promise<unknown> => this.#call("POST", "drain", { node });

  follow = (id: string): Promise<{ until: string } & Gathered> => this.#call("POST", "trace", { id });

  traced = (id: string): Promise<Trace> => this.#call("GET", `trace/${encodeURIComponent(id)}`);

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(this.base + path, {
      method,
      headers: {
        ...(this.key && { "X-API-Key": this.key }),
        ...(body && { "Content-Type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json().catch(() => ({}))) as { message?: string; data?: T };
    if (!response.ok) throw new ApiError(response.status, answer.message ?? response.statusText);
    return answer.data as T;
  }
}
