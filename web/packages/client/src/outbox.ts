import { GatewayError } from "./errors.js";
import type { Frame } from "./protocol.js";
import { randomId } from "./requests.js";
import type { Store, Stored } from "./store.js";

/** A message that waits, or is on its way and not acknowledged. */
export interface Item {
  /** With an id, by which the gateway knows it when it comes twice. */
  frame: Frame & { id: string };
  bytes: number;
  /** Orders what was stored. */
  at: number;
  tries: number;
  resolve?(ack: Frame): void;
  reject?(error: Error): void;
}

/** What the outbox asks of the client. */
export interface OutboxOwner {
  connected(): boolean;
  /** Sends; the answer or the refusal is the promise's. */
  ask(frame: Frame): Promise<Frame>;
  /** Where messages are kept over a reload, if anywhere. */
  store(): Store | undefined;
  changed(count: number, bytes: number): void;
  unsent(frame: Frame, error: Error): void;
}

/** How often a message is sent that nothing answers, before its sender is told. */
const maxTries = 3;
/** The codes of a close that a message sent over that connection has caused, RFC 6455 section 7.4.1. */
const faults = new Set<number | undefined>([1002, 1003, 1007, 1009]);

/**
 * Messages on their way to the gateway, bounded in number and bytes.
 *
 * They leave one at a time, the next when the one before is acknowledged: so they arrive in
 * order whatever is refused, repeated or cut off in between. One that was sent and not
 * acknowledged is sent again with the same id.
 */
export class Outbox {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  readonly #owner: OutboxOwner;
  #items: Item[] = [];
  #bytes = 0;
  #sending = false;
  #last = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(maxCount: number, maxBytes: number, owner: OutboxOwner) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
    this.#owner = owner;
  }

  /** How many messages wait. */
  get count(): number {
    return this.#items.length;
  }

  push(frame: Frame): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const named = { ...frame, id: frame.id ?? randomId() };
      const bytes = new TextEncoder().encode(JSON.stringify(named)).length;
      if (this.#items.length >= this.#maxCount || this.#bytes + bytes > this.#maxBytes) {
        throw new GatewayError("queue_full", `${this.#items.length} messages wait already`);
      }
      this.#last = Math.max(Date.now(), this.#last + 1);
      const item = { frame: named, bytes, at: this.#last, tries: 0, resolve, reject };
      this.#keep(item);
      this.#add(item, this.#items.length);
      this.flush();
    });
  }

  /** Puts what waits into the store, which was opened after it came. */
  save(): void {
    for (const item of this.#items) this.#keep(item);
  }

  /** Takes over what an earlier page has left, in front of what is newer. */
  restore({ frame, at }: Stored): void {
    const bytes = JSON.stringify(frame).length;
    const older = this.#items.findIndex((item, i) => item.at > at && !(this.#sending && i === 0));
    this.#add({ frame, bytes, at, tries: 0 }, older < 0 ? this.#items.length : older);
    this.flush();
  }

  /** Sends the next message, unless one is on its way. */
  flush(): void {
    const item = this.#items[0];
    if (!item || this.#sending || this.#pause || !this.#owner.connected()) return;
    this.#sending = true;
    item.tries++;
    this.#owner.ask(item.frame).then(
      (ack) => {
        this.#sending = false;
        this.#remove(item);
        item.resolve?.(ack);
        this.flush();
      },
      (error: unknown) => {
        this.#sending = false;
        this.#failed(item, error as GatewayError);
        this.flush();
      },
    );
  }

  /** Gives everything up; what is stored stays for a later page. */
  clear(error: Error): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    for (const item of items) item.reject?.(error);
    this.#changed();
  }

  #failed(item: Item, error: GatewayError): void {
    const { code, closed } = error;
    if (code === "disconnected" && !faults.has(closed)) {
      item.tries--;
    } else if (code === 4101) {
      item.tries--;
      this.#pause = setTimeout(
        () => {
          this.#pause = undefined;
          this.flush();
        },
        500 + Math.random() * 1000,
      );
    } else if (code !== "timeout" || item.tries >= maxTries) {
      this.#remove(item);
      item.reject?.(error);
      this.#owner.unsent(item.frame, error);
    }
  }

  #keep({ frame, at }: Item): void {
    this.#owner.store()?.put({ id: frame.id, at, frame });
  }

  #add(item: Item, index: number): void {
    this.#items.splice(index, 0, item);
    this.#bytes += item.bytes;
    this.#changed();
  }

  #remove(item: Item): void {
    const index = this.#items.indexOf(item);
    if (index < 0) return;
    this.#items.splice(index, 1);
    this.#bytes -= item.bytes;
    this.#owner.store()?.delete(item.frame.id);
    this.#changed();
  }

  #changed(): void {
    this.#owner.changed(this.#items.length, this.#bytes);
  }
}
