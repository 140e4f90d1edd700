import { GatewayError } from "./errors.js";
import type { Frame, Notice } from "./protocol.js";
import type { Wire } from "./wire.js";

interface Pending {
  frame: Frame;
  /** Where it was sent; undefined while it waits for a connection. */
  wire: Wire | undefined;
  /** It asks again over the next connection when this one ends. */
  again: boolean;
  resolve(answer: Frame): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout>;
}

/** A name that nobody else gives: 22 letters, digits and dashes. */
export function randomId(): string {
  const base64 = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
  return base64.slice(0, 22).replace(/[+/]/g, "-");
}

/** Requests under way, by their ids: each is answered, refused, or out of time. */
export class Requests {
  readonly #pending = new Map<string, Pending>();

  /**
   * Sends a frame, now or with the next connection, and waits for what answers it.
   *
   * @param again whether to wait out a lost connection and ask again, or fail with it
   */
  ask(wire: Wire | undefined, frame: Frame, timeout: number, again: boolean): Promise<Frame> {
    const id = (frame.id ??= randomId());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#take(id)?.reject(new GatewayError("timeout", `no answer to ${frame.type}`));
      }, timeout);
      this.#pending.set(id, { frame, wire, again, resolve, reject, timer });
      wire?.send(frame);
    });
  }

  /** Gives an answer to whoever asked. Reports whether somebody did. */
  answer(frame: Frame): boolean {
    const pending = this.#take(frame.id ?? "");
    if (!pending) return false;
    if (frame.type === "error") {
      const { code, message } = frame.content as Notice;
      pending.reject(new GatewayError(code, message));
    } else {
      pending.resolve(frame);
    }
    return true;
  }

  /** A connection is there: asks what has waited for one. */
  connected(wire: Wire): void {
    for (const pending of this.#pending.values()) {
      if (pending.wire) continue;
      pending.wire = wire;
      wire.send(pending.frame);
    }
  }

  /** A connection has ended with a code, or all have: what was asked there fails or waits for the next. */
  disconnected(wire?: Wire, code?: number): void {
    for (const [id, pending] of this.#pending) {
      if (wire && pending.wire !== wire) continue;
      if (wire && pending.again) pending.wire = undefined;
      else this.#take(id)?.reject(new GatewayError("disconnected", "the connection has ended", code));
    }
  }

  #take(id: string): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending) {
      this.#pending.delete(id);
      clearTimeout(pending.timer);
    }
    return pending;
  }
}
