import type { Frame } from "./protocol.js";

/** How many messages are remembered. */
const remembered = 500;
/** Ids of this length are random, like the client's own; shorter ones may be counters. */
const unique = 20;

/** Tells messages that come twice: a sender repeats what was not acknowledged, with the same id. */
export class Duplicates {
  readonly #seen = new Set<string>();

  /** Reports whether the message has come before. */
  has({ from, id }: Frame): boolean {
    if (id === undefined || id.length < unique) return false;
    const key = `${from} ${id}`;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    const [oldest = ""] = this.#seen;
    if (this.#seen.size > remembered) this.#seen.delete(oldest);
    return false;
  }
}

/**
 * Tells messages that come over two connections while one takes over from the other, by
 * their text: what one has brought once more than the other is new.
 */
export class Overlap {
  readonly #balance = new Map<string, number>();

  /** Reports whether the other connection has brought the message already. */
  has(text: string, newer: boolean): boolean {
    const side = newer ? 1 : -1;
    // Each node fills in the time of a message that lacks it.
    const key = text.replace(/"timestamp":\d+/, "");
    const balance = this.#balance.get(key) ?? 0;
    this.#balance.set(key, balance + side);
    return balance * side < 0;
  }

  clear(): void {
    this.#balance.clear();
  }
}
