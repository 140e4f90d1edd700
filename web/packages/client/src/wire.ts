import type { Dialer, Link } from "./link.js";
import type { Frame, Welcome } from "./protocol.js";
import { ended, type Ended } from "./schedule.js";

/** How long a connection may take until `welcome`, in milliseconds. */
const handshake = 15_000;
/** How long an answer to a ping may take. */
const patience = 10_000;
/** The same after waking up, when the likely answer is that nobody is there any more. */
const impatience = 5_000;
/** A timer that fires later than this was held back: the machine slept, or the tab is throttled. */
const slack = 2_000;

/** What a wire tells its owner. */
export interface WireEvents {
  frame(frame: Frame, wire: Wire, text: string): void;
  ended(ended: Ended, wire: Wire): void;
}

/**
 * One connection from its opening to its end, with a heartbeat.
 *
 * Scripts do not see the server's pings, so when nothing was heard for a ping interval the
 * wire sends a `ping` frame of its own, and whatever arrives is life. The clock on the wall
 * decides, not the number of times that a timer has fired: browsers fire the timers of
 * hidden tabs once a minute, and none while the machine sleeps. A timer that fires late
 * finds its answer perhaps still waiting to be handled, so the wire looks once more, a
 * little later, before it gives the connection up.
 */
export class Wire {
  /** When `welcome` came, in milliseconds; 0 before. */
  welcomed = 0;

  readonly #events: WireEvents;
  readonly #link: Link;
  #open = true;
  #interval = 25_000;
  #heard = 0;
  /** When the ping was sent that nothing has answered; 0 when there is none. */
  #asked = Date.now();
  #due = 0;
  #second = false;
  #awake = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(dialer: Dialer, url: string, token: string, events: WireEvents) {
    this.#events = events;
    this.#link = dialer.open(url, token, {
      message: (text) => this.#message(text),
      close: (code, reason) => this.#end(ended(code, reason)),
    });
    this.#wait(handshake);
  }

  send(frame: Frame): void {
    this.#link.send(JSON.stringify(frame));
  }

  /** Asks whether the other side is still there, after the page has slept or the network has changed. */
  probe(): void {
    this.#awake = true;
    if (this.welcomed && !this.#asked) this.#ping(impatience);
  }

  /** Ends the connection without a word to the owner. */
  drop(): void {
    this.#open = false;
    clearTimeout(this.#timer);
    this.#link.close();
  }

  #message(text: string): void {
    this.#heard = Date.now();
    this.#asked = 0;
    this.#awake = false;
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return;
    }
    if (frame.type === "welcome") {
      this.welcomed = this.#heard;
      this.#interval = ((frame.data as Partial<Welcome> | undefined)?.ping_interval ?? 25) * 1000;
      this.#wait(this.#interval);
    }
    this.#events.frame(frame, this, text);
  }

  #end(end: Ended): void {
    if (!this.#open) return;
    this.drop();
    this.#events.ended(end, this);
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#due = Date.now() + milliseconds;
    this.#timer = setTimeout(() => this.#beat(), milliseconds);
  }

  #ping(timeout: number): void {
    this.#asked = Date.now();
    this.#second = false;
    this.#wait(timeout);
    this.send({ type: "ping" });
  }

  #beat(): void {
    const now = Date.now();
    const late = now - this.#due > slack;
    if (late) this.#awake = true;
    const idle = now - this.#heard;
    if (!this.#asked) {
      if (late) this.#ping(impatience);
      else if (idle >= this.#interval) this.#ping(patience);
      else this.#wait(this.#interval - idle);
    } else if (late && !this.#second) {
      this.#second = true;
      this.#wait(slack);
    } else {
      this.#end({ code: 1006, reason: "no answer", awake: this.#awake });
    }
  }
}
