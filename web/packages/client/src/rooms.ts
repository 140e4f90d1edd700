import { GatewayError } from "./errors.js";
import type { Frame, Lost, Position } from "./protocol.js";
import { randomId } from "./requests.js";
import { Room } from "./room.js";
import { backoff } from "./schedule.js";

/** What rooms ask of the client. */
export interface RoomsOwner {
  connected(): boolean;
  ask(frame: Frame): Promise<Frame>;
  deliver(frame: Frame): void;
  lost(lost: Lost): void;
  /** A room was left because the gateway does not let us in again. */
  refused(room: string, error: GatewayError): void;
}

interface Waiter {
  resolve(joined: Frame): void;
  reject(error: Error): void;
}

/** The rooms that the application wants to be in, and those that the token has put it in. */
export class Rooms {
  readonly #owner: RoomsOwner;
  readonly #rooms = new Map<string, Room>();
  readonly #waiters = new Map<Room, Waiter[]>();

  constructor(owner: RoomsOwner) {
    this.#owner = owner;
  }

  /** Reports whether joins are under way. */
  get joining(): boolean {
    return [...this.#rooms.values()].some((room) => room.asking !== undefined);
  }

  position(name: string): Position | undefined {
    const at = this.#rooms.get(name)?.position;
    return at && { ...at };
  }

  join(name: string, since?: Position): Promise<Frame> {
    const known = this.#rooms.get(name);
    if (known?.joined) return Promise.resolve(known.joined);
    const room = known ?? this.#open(name);
    const waiters = this.#waiters.get(room) ?? [];
    this.#waiters.set(room, waiters);
    const joined = new Promise<Frame>((resolve, reject) => waiters.push({ resolve, reject }));
    if (!known) {
      room.position = since && { ...since };
      this.#ask(room);
    }
    return joined;
  }

  async leave(name: string): Promise<void> {
    const room = this.#rooms.get(name);
    if (!room) return;
    this.#close(room, new GatewayError("disconnected", "the room was left"));
    if (this.#owner.connected()) await this.#owner.ask({ type: "leave_room", room: name });
  }

  /** A connection is there, on which we are in no room yet. */
  connected(): void {
    for (const room of this.#rooms.values()) this.#ask(room);
  }

  joined(frame: Frame): void {
    const name = frame.room ?? "";
    let room = this.#rooms.get(name);
    if (!room) {
      if (frame.id !== undefined) return; // left in the meantime
      room = this.#open(name); // the token's
    }
    const asked = room.asking !== undefined && room.asking === frame.id;
    if (asked) room.asking = undefined;
    room.answer(frame, asked);
    room.failures = 0;
    for (const waiter of this.#settle(room)) waiter.resolve(frame);
  }

  message(frame: Frame): void {
    this.#rooms.get(frame.room ?? "")?.message(frame);
  }

  clear(error: Error): void {
    for (const room of [...this.#rooms.values()]) this.#close(room, error);
  }

  #open(name: string): Room {
    const room = new Room(name, {
      ...this.#owner,
      repair: (room) => this.#ask(room),
    });
    this.#rooms.set(name, room);
    return room;
  }

  #close(room: Room, error: Error): void {
    this.#rooms.delete(room.name);
    for (const waiter of this.#settle(room)) waiter.reject(error);
  }

  #settle(room: Room): Waiter[] {
    const waiters = this.#waiters.get(room) ?? [];
    this.#waiters.delete(room);
    return waiters;
  }

  /** Joins, and asks for everything behind the last message that was seen. */
  #ask(room: Room): void {
    if (!this.#owner.connected()) return;
    const id = (room.asking = randomId());
    const { name, position: since } = room;
    this.#owner
      .ask({ type: "join_room", id, content: since ? { room: name, since } : name })
      .catch((error: unknown) => this.#failed(room, id, error as GatewayError));
  }

  #failed(room: Room, id: string, error: GatewayError): void {
    if (room.asking !== id) return;
    room.asking = undefined;
    if (this.#rooms.get(room.name) !== room || error.code === "disconnected") return;
    if (error.code === 4101 || error.code === "timeout") {
      const again = (): void => {
        if (this.#rooms.get(room.name) === room && room.asking === undefined) this.#ask(room);
      };
      setTimeout(again, 500 + backoff(Math.min(room.failures++, 4)));
      return;
    }
    const awaited = this.#waiters.has(room);
    this.#close(room, error);
    if (!awaited) this.#owner.refused(room.name, error);
  }
}
