import { GatewayError } from "./errors.js";
import type { Dialer } from "./link.js";
import type { Frame, State, StateChange, Welcome } from "./protocol.js";
import { retry, type Ended } from "./schedule.js";
import { claims, type Claims } from "./token.js";
import { onWake } from "./wake.js";
import { Wire } from "./wire.js";

/** Why a token is asked for. */
export type TokenReason = "connect" | "expired" | "refresh";
export type GetToken = (why: TokenReason) => string | Promise<string>;

/** What the connection tells the client. */
export interface ConnectionOwner {
  /** Says by what and where a wire is to be opened, now that there is a token. */
  prepare(): Promise<[Dialer, string]>;
  state(change: StateChange): void;
  /** The connection is there. It replaces the one before, if that is still there, without a break. */
  welcome(frame: Frame, wire: Wire): void;
  frame(frame: Frame, wire: Wire, text: string): void;
  /** A wire has ended: what was sent over it and not answered is open. */
  ended(wire: Wire, code: number): void;
  /** Whether a wire that was replaced may still bring something that is awaited. */
  busy(): boolean;
}

/** A connection that lasted this long has held, in milliseconds. */
const held = 5_000;
/** How long a connection stays that another has replaced, at first and at most. */
const linger = 1_000;
const longestLinger = 10_000;
/** No two attempts that the page asks for are closer, in milliseconds. */
const shortestPause = 1_000;
/** An attempt that has taken so long when the page wakes up has gone out into a network that is no more. */
const stale = 2_000;
/** How long it may take to get a token. */
const patience = 15_000;

/**
 * Keeps one connection to the gateway for as long as it is wanted, through wire after wire.
 *
 *     idle ─connect─► connecting ─welcome─► connected ─ended─► waiting ─► connecting ...
 *                          └─────────────── 40xx ───────────────► closed
 *
 * When the server asks for it (`reconnect`), the next wire is opened while the one before is
 * still in use; that is dropped a little after the next has taken over.
 */
export class Connection {
  state: State = "idle";
  /** The wire in use. */
  wire: Wire | undefined;
  token: string | undefined;
  claims: Claims | undefined;
  /** By how many milliseconds the server's clock is ahead. */
  skew = 0;

  readonly #owner: ConnectionOwner;
  #dialer: Dialer | undefined;
  /** The wire being opened. */
  #next: Wire | undefined;
  /** Wires that were replaced, and may still bring something. */
  readonly #old = new Set<Wire>();
  #window = 5_000;
  #attempt = 0;
  #dialed = 0;
  /** Whoever waits for a token gives up when this has changed. */
  #run = 0;
  /** The next attempt is not to be made with the token at hand. */
  #fresh = false;
  /** The pause was the server's to choose: nothing shortens it. */
  #firm = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakeless: (() => void) | undefined;

  constructor(
    owner: ConnectionOwner,
    readonly getToken: GetToken | undefined,
  ) {
    this.#owner = owner;
  }

  /** Another wire is still there beside the one in use. */
  get overlapping(): boolean {
    return this.#old.size > 0;
  }

  use(token: string): void {
    this.token = token;
    this.claims = claims(token);
    this.#fresh = false;
  }

  connect(): void {
    if (this.state === "waiting") this.#wake();
    if (this.#wakeless) return;
    this.#attempt = 0;
    this.#wakeless = onWake(() => this.#wake());
    void this.#dial();
  }

  disconnect(): void {
    this.#reset();
    this.#enter({ state: "idle" });
  }

  #reset(): void {
    this.#run++;
    clearTimeout(this.#timer);
    this.#wakeless?.();
    this.#wakeless = undefined;
    for (const wire of [this.wire, this.#next, ...this.#old]) wire?.drop();
    this.wire = this.#next = undefined;
    this.#old.clear();
    this.#dialer?.stop?.();
  }

  #enter(change: StateChange): void {
    this.state = change.state;
    this.#owner.state(change);
  }

  /** Opens a wire, beside the one in use if there is one. */
  async #dial(): Promise<void> {
    const run = ++this.#run;
    this.#next?.drop();
    this.#next = undefined;
    this.#dialed = Date.now();
    if (!this.wire) this.#enter({ state: "connecting" });
    this.#later(patience, () => this.#again({ code: 1006, reason: "no token" }));
    try {
      const token = await this.#token();
      if (run !== this.#run) return;
      this.use(token);
      const [dialer, url] = await this.#owner.prepare();
      if (run !== this.#run) return;
      clearTimeout(this.#timer);
      this.#dialer = dialer;
      this.#next = new Wire(dialer, url, token, {
        frame: (frame, wire, text) => this.#frame(frame, wire, text),
        ended: (ended, wire) => this.#ended(ended, wire),
      });
    } catch (error) {
      if (run === this.#run) this.#again({ code: 1006, reason: String(error) });
    }
  }

  /** Does something in a while, in place of what was to be done before. */
  #later(delay: number, work = (): unknown => this.#dial()): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(work, delay);
  }

  #token(): string | Promise<string> {
    const { token, claims, getToken } = this;
    const good = token !== undefined && (claims?.expires ?? 0) > Date.now() + this.skew + 5_000;
    if (getToken && (this.#fresh || !good)) return getToken(token === undefined ? "connect" : "expired");
    if (token === undefined) throw new GatewayError("disconnected", "neither token nor getToken");
    return token;
  }

  #frame(frame: Frame, wire: Wire, text: string): void {
    if (frame.type === "welcome") this.#welcome(frame, wire);
    else if (frame.type === "reconnect") this.#move(frame, wire);
    else this.#owner.frame(frame, wire, text);
  }

  #welcome(frame: Frame, wire: Wire): void {
    const { server_time, reconnect_window_ms } = frame.data as Partial<Welcome>;
    const skew = Date.parse(server_time ?? "") - Date.now();
    if (skew) this.skew = skew;
    this.#window = reconnect_window_ms ?? this.#window;
    const before = this.wire;
    this.wire = wire;
    this.#next = undefined;
    clearTimeout(this.#timer);
    if (before && before !== wire) {
      this.#old.add(before);
      this.#retire(before, Date.now());
    }
    this.#owner.welcome(frame, wire);
    if (this.state !== "connected") this.#enter({ state: "connected" });
  }

  /** Drops a wire that was replaced when nothing more is expected from it. */
  #retire(wire: Wire, since: number): void {
    setTimeout(() => {
      if (!this.#old.has(wire)) return;
      if (this.#owner.busy() && Date.now() - since < longestLinger) {
        this.#retire(wire, since);
        return;
      }
      wire.drop();
      this.#old.delete(wire);
      this.#owner.ended(wire, 1000);
    }, linger);
  }

  /** The server wants us elsewhere: `{"type":"reconnect","data":{"delay_ms":1200}}`. */
  #move(frame: Frame, wire: Wire): void {
    if (wire !== this.wire || this.#next) return;
    const { delay_ms } = { ...(frame.content as object), ...frame.data } as { delay_ms?: number };
    this.#later(delay_ms ?? Math.random() * this.#window);
  }

  #ended(ended: Ended, wire: Wire): void {
    if (wire === this.#next) this.#next = undefined;
    if (wire === this.wire) {
      this.wire = undefined;
      if (Date.now() - wire.welcomed > held) this.#attempt = 0;
    }
    const replaced = this.#old.delete(wire);
    this.#owner.ended(wire, ended.code);
    if (replaced) return;
    // What comes next is on its way already, and may be why this one was closed (4008).
    if (this.#next) this.#enter({ state: "connecting", code: ended.code, reason: ended.reason });
    else this.#again(ended);
  }

  #again(ended: Ended): void {
    this.#run++;
    const plan = retry(ended, this.#attempt++, this.#window);
    const { code, reason } = ended;
    if (!plan || (plan.fresh && !this.getToken)) {
      // With a wire that is still good, the next one's refusal is no reason to give that up.
      if (this.wire) return;
      this.#reset();
      this.#enter({ state: "closed", code, reason });
      return;
    }
    const delay = this.#dialer?.attached && !plan.firm ? 50 : plan.delay;
    this.#firm = plan.firm;
    this.#fresh ||= plan.fresh;
    this.#later(delay);
    if (!this.wire) this.#enter({ state: "waiting", code, reason, delay });
  }

  /** Cuts a pause short, and an attempt that hangs; soon, if it is too early to do so at once. */
  #wake(): void {
    this.wire?.probe();
    const pause = this.state === "waiting" ? !this.#firm && shortestPause : this.#next && stale;
    if (pause) this.#later(Math.max(0, this.#dialed + pause - Date.now()));
  }
}
