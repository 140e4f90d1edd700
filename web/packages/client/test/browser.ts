import { vi } from "vitest";

/** Web Locks of one origin, as the standard says, for what the client uses of them. */
export class FakeLocks {
  readonly #held = new Map<string, { steal: (error: Error) => void }>();
  readonly #waiting = new Map<string, (() => void)[]>();

  async request(
    name: string,
    options: { signal?: AbortSignal; steal?: boolean },
    work: () => Promise<void>,
  ): Promise<void> {
    if (options.steal) this.#held.get(name)?.steal(new DOMException("stolen", "AbortError"));
    else if (this.#held.has(name)) await this.#turn(name, options.signal);
    options.signal?.throwIfAborted();
    let steal: (error: Error) => void = () => undefined;
    const stolen = new Promise<never>((_, reject) => (steal = reject));
    const lock = { steal };
    this.#held.set(name, lock);
    try {
      await Promise.race([Promise.resolve().then(work), stolen]);
    } finally {
      if (this.#held.get(name) === lock) {
        this.#held.delete(name);
        this.#waiting.get(name)?.shift()?.();
      }
    }
  }

  #turn(name: string, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(name) ?? [];
      this.#waiting.set(name, queue);
      queue.push(resolve);
      signal?.addEventListener("abort", () => {
        queue.splice(queue.indexOf(resolve), 1);
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  }
}

const channels = new Map<string, Set<FakeChannel>>();

/** A BroadcastChannel whose messages arrive with the (fake) timers. */
export class FakeChannel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  /** A frozen tab: messages neither come nor go. */
  frozen = false;

  constructor(readonly name: string) {
    const all = channels.get(name) ?? new Set();
    channels.set(name, all.add(this));
  }

  postMessage(data: unknown): void {
    if (this.frozen) return;
    for (const other of channels.get(this.name) ?? []) {
      if (other === this) continue;
      setTimeout(() => {
        if (!other.frozen && channels.get(this.name)?.has(other)) other.onmessage?.({ data });
      }, 1);
    }
  }

  close(): void {
    channels.get(this.name)?.delete(this);
  }

  static all(): FakeChannel[] {
    return [...channels.values()].flatMap((set) => [...set]);
  }
}

/** Puts a browser's shared things in place for one test. */
export function fakeBrowser(): void {
  channels.clear();
  vi.stubGlobal("navigator", { locks: new FakeLocks() });
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  const page = new EventTarget();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
}

/** A page that can be hidden, and told things. An event of its document passes by the window first. */
export function fakePage(): { visibilityState: string; happens: (type: string) => void } {
  const window = new EventTarget();
  const document = {
    visibilityState: "visible",
    happens: (type: string) => window.dispatchEvent(new Event(type)),
  };
  vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
  vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
  vi.stubGlobal("document", document);
  return document;
}
