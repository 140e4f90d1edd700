import type { Frame, Lost, Position } from "./protocol.js";

/** How many messages behind a gap wait for it to be filled. */
const maxHeld = 200;

/** What a room asks of its owner. */
export interface RoomOwner {
  /** Hands a message to the application. */
  deliver(frame: Frame): void;
  lost(lost: Lost): void;
  /** Asks for what was missed: a join with `since`. */
  repair(room: Room): void;
}

/**
 * One room as the application sees it: each message of its history once, in order, whatever
 * comes twice, too early or not at all.
 */
export class Room {
  readonly #owner: RoomOwner;
  /** The last message that the application got; undefined where no history is kept. */
  position: Position | undefined;
  /** The last `joined`, once the gateway has confirmed that we are in. */
  joined: Frame | undefined;
  /** The id of the join that is under way. */
  asking: string | undefined;
  /** How often joining has failed in a row. */
  failures = 0;
  /** What has come too early, by offset. */
  readonly #held = new Map<number, Frame>();

  constructor(
    readonly name: string,
    owner: RoomOwner,
  ) {
    this.#owner = owner;
  }

  /** Takes a message that has come. */
  message(frame: Frame): void {
    const { offset } = frame;
    if (!this.position || offset === undefined) {
      // Before the first `joined` it is another tab's.
      if (this.joined) this.#owner.deliver(frame);
    } else if (offset === this.position.offset + 1) {
      this.position.offset = offset;
      this.#owner.deliver(frame);
      this.#release();
    } else if (offset > this.position.offset) {
      if (this.#held.size < maxHeld) this.#held.set(offset, frame);
      if (this.asking === undefined) this.#owner.repair(this);
    }
  }

  /**
   * Takes `joined`, which says where the room is. When we have asked with `since` and it is
   * `recovered`, the messages in between follow.
   *
   * @param asked the join was ours and had `since`
   */
  answer(frame: Frame, asked: boolean): void {
    const { epoch, offset, recovered } = frame;
    this.joined = frame;
    const since = this.position;
    if (epoch === undefined || offset === undefined) {
      this.position = undefined;
    } else if (!since) {
      this.position = { epoch, offset };
    } else if ((asked && !recovered) || since.epoch !== epoch) {
      this.position = { epoch, offset };
      const anew = since.epoch !== epoch;
      if (anew || offset > since.offset) {
        this.#owner.lost({ room: this.name, since: { ...since }, now: { epoch, offset } });
      }
      if (anew) this.#held.clear();
      this.#release(true);
    } else if (!asked && offset > since.offset) {
      this.#owner.repair(this);
    }
    this.#release();
  }

  /** Hands over what was held back and is next or, when the gap before it will never be filled, all of it. */
  #release(all = false): void {
    const at = this.position;
    for (const [offset, frame] of [...this.#held].sort(([a], [b]) => a - b)) {
      if (at && !all && offset > at.offset + 1) break;
      this.#held.delete(offset);
      if (!at || (!all && offset <= at.offset)) continue;
      at.offset = Math.max(at.offset, offset);
      this.#owner.deliver(frame);
    }
  }
}
