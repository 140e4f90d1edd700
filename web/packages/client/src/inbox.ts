import type { Frame, Lost, Position } from "./protocol.js";

/** What the inbox asks of the client. */
export interface InboxOwner {
  deliver(frame: Frame): void;
  lost(lost: Lost): void;
  /** Listeners have had the message at offset, and all before it. */
  seen(offset: number): void;
  /** Sends a frame, if there is a connection. */
  send(frame: Frame): void;
}

/** How long an acknowledgement waits for a later one, in milliseconds. */
const settle = 200;

/** What comes to the user: each message of the inbox once, in order, and all that is not kept in one. */
export class Inbox {
  readonly #owner: InboxOwner;
  #position: Position | undefined;
  #acked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: InboxOwner) {
    this.#owner = owner;
  }

  /**
   * The gateway says where the inbox is; what this device has not acknowledged follows. What it has
   * acknowledged it says again: that may have been lost with the connection before.
   */
  joined({ epoch, offset }: Partial<Position> = {}): void {
    const since = this.#position;
    if (epoch === undefined || offset === undefined) return;
    if (since?.epoch === epoch) {
      if (this.#acked) this.ack(0);
      return;
    }
    this.#position = { epoch, offset: 0 };
    this.#acked = 0;
    if (since) this.#owner.lost({ room: undefined, since, now: { epoch, offset } });
  }

  message(frame: Frame): void {
    const { offset } = frame;
    const at = this.#position;
    if (offset === undefined || !at) {
      this.#owner.deliver(frame);
      return;
    }
    if (offset <= at.offset) return;
    if (at.offset > 0 && offset > at.offset + 1) {
      this.#owner.lost({ room: undefined, since: { ...at }, now: { ...at, offset: offset - 1 } });
    }
    at.offset = offset;
    this.#owner.deliver(frame);
    this.#owner.seen(offset);
  }

  /** Acknowledges all up to offset, together with what else is acknowledged in a moment. */
  ack(offset: number): void {
    this.#acked = Math.max(this.#acked, offset);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#owner.send({ type: "ack", content: { offset: this.#acked } });
    }, settle);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#position = undefined;
    this.#acked = 0;
  }
}
