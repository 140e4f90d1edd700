import type { Claims } from "./token.js";
import { refreshIn } from "./token.js";

/** What keeping a token fresh needs of the client. */
export interface RefreshOwner {
  claims(): Claims | undefined;
  skew(): number;
  /** Gets another token and gives it to the gateway. */
  renew(): Promise<unknown>;
}

const shortest = 5_000;
const longestTimer = 2 ** 31 - 1;

/** Replaces the token before it expires, over the connection that it has opened. */
export class Refresh {
  readonly #owner: RefreshOwner;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: RefreshOwner) {
    this.#owner = owner;
  }

  /** Begins, or begins again with a new token. */
  start(): void {
    const claims = this.#owner.claims();
    if (claims && claims.expires < Infinity) this.#wait(refreshIn(claims, this.#owner.skew()));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(milliseconds: number): void {
    this.stop();
    const turn = Math.min(Math.max(milliseconds, shortest), longestTimer);
    this.#timer = setTimeout(() => {
      if (milliseconds > turn) this.#wait(milliseconds - turn);
      // The gateway ends the connection with 4300 if this never works.
      else
        this.#owner.renew().then(
          () => this.start(),
          () => this.#wait(shortest * (1 + Math.random())),
        );
    }, turn);
  }
}
