import { Hub } from "./hub.js";
import type { Dialer, Link, LinkEvents } from "./link.js";
import { randomId } from "./requests.js";
import { claims } from "./token.js";

/**
 * What tabs say to each other:
 *
 *     hello  a tab wants to be let in; the leader says `here`, and the welcome if there is one
 *     bye    a tab is gone
 *     send   a tab has a frame for the gateway
 *     text   the leader has a frame from the gateway, for one tab or all
 *     close  the leader's connection has ended
 *     lead   a tab has become the leader
 */
interface Message {
  say: "hello" | "bye" | "here" | "send" | "text" | "close" | "lead";
  tab?: string | undefined;
  text?: string;
  code?: number;
}

/** A leader that says nothing for so long is frozen or hung, in milliseconds. */
const patience = 5_000;
/** Ends a link that is at once to be opened again. */
const handover = [4200, '{"reason":"handover","delay_ms":0}'] as const;

/**
 * Has one tab of those with the same user and address hold the connection, for all. The leader is
 * who has a Web Lock: when its tab goes, the browser gives the lock to the next. Every tab
 * keeps its own rooms, positions and queue, so a new leader is to the others what a reconnect
 * is. Where there are no Web Locks or broadcast channels each tab has its own connection.
 */
export function sharedByTabs(dialer: Dialer): Dialer {
  const able = "BroadcastChannel" in globalThis && (globalThis.navigator as Partial<Navigator>).locks;
  return able ? new Tabs(dialer) : dialer;
}

class Tabs implements Dialer {
  readonly #dialer: Dialer;
  readonly #me = randomId();
  #name = "";
  #channel: BroadcastChannel | undefined;
  #hub: Hub | undefined;
  /** What the client has opened. */
  #open: { url: string; token: string; events: LinkEvents } | undefined;
  /** The real connection behind it, when we lead. */
  #link: Link | undefined;
  #welcomed = false;
  #release: () => void = () => undefined;
  #campaign = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #bye = (): void => this.#say({ say: "bye", tab: this.#me });

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  get attached(): boolean {
    return !this.#hub;
  }

  open(url: string, token: string, events: LinkEvents): Link {
    const name = `ginforge-gateway:${url}:${claims(token).user}`;
    if (name !== this.#name) {
      this.stop();
      this.#start(name);
    }
    if (this.#hub) return this.#hub.open(url, token, events);
    const open = (this.#open = { url, token, events });
    this.#welcomed = false;
    this.#hello();
    return {
      send: (text) => {
        if (this.#link) this.#link.send(text);
        else this.#say({ say: "send", tab: this.#me, text });
      },
      close: () => {
        if (this.#open !== open) return;
        this.#open = undefined;
        clearTimeout(this.#timer);
        this.#link?.close();
        this.#link = undefined;
      },
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#bye();
    this.#open = this.#link = undefined;
    this.#name = "";
    this.#campaign.abort();
    const hub = this.#hub;
    this.#hub = undefined;
    hub?.stop(...handover);
    // The others hear how the connection has ended before one of them takes over.
    setTimeout(this.#release, 100);
    this.#channel?.close();
    this.#channel = undefined;
    globalThis.removeEventListener("pagehide", this.#bye);
  }

  #start(name: string): void {
    this.#name = name;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#heard(data);
    globalThis.addEventListener("pagehide", this.#bye);
    this.#run(false);
  }

  /** Waits to become the leader or, when the leader is silent, does so at once. */
  #run(steal: boolean): void {
    this.#campaign.abort();
    const { signal } = (this.#campaign = new AbortController());
    const lead = (): Promise<void> => {
      if (signal.aborted) return Promise.resolve();
      this.#lead();
      return new Promise((release) => (this.#release = release));
    };
    // A lock that is stolen cannot be waited for with a signal.
    navigator.locks.request(this.#name, steal ? { steal } : { signal }, lead).catch(() => {
      if (!signal.aborted) this.#deposed();
    });
  }

  #lead(): void {
    clearTimeout(this.#timer);
    this.#hub = new Hub(
      this.#dialer,
      this.#me,
      (tab, text) => this.#say({ say: "text", tab, text }),
      (code, text) => this.#say({ say: "close", code, text }),
    );
    this.#say({ say: "lead" });
    const open = this.#open;
    if (!open) return;
    if (this.#welcomed) {
      this.#open = undefined;
      open.events.close(...handover);
    } else {
      this.#link = this.#hub.open(open.url, open.token, open.events);
    }
  }

  /** Another tab has taken the lead, since this one did not answer. */
  #deposed(): void {
    const hub = this.#hub;
    this.#hub = this.#open = this.#link = undefined;
    hub?.stop(...handover);
    this.#run(false);
  }

  #hello(): void {
    this.#say({ say: "hello", tab: this.#me });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(true), patience);
  }

  #say(message: Message): void {
    this.#channel?.postMessage(message);
  }

  #heard({ say, tab, text = "", code = 1006 }: Message): void {
    if (this.#hub) {
      if (say === "send") this.#hub.send(tab ?? "", text);
      else if (say === "bye") this.#hub.bye(tab ?? "");
      else if (say === "hello") {
        this.#say({ say: "here", tab });
        this.#hub.greet(tab ?? "");
      }
    } else {
      this.#followed(say, tab, text, code);
    }
  }

  #followed(say: Message["say"], tab: string | undefined, text: string, code: number): void {
    const open = this.#open;
    if (!open || (tab !== undefined && tab !== this.#me)) return;
    if (say === "here") {
      clearTimeout(this.#timer);
    } else if (say === "text") {
      clearTimeout(this.#timer);
      // Before the welcome it is for those who are in already.
      this.#welcomed ||= text.startsWith('{"type":"welcome"');
      if (this.#welcomed) open.events.message(text);
    } else if (say === "close" || (say === "lead" && this.#welcomed)) {
      this.#open = undefined;
      clearTimeout(this.#timer);
      if (say === "close") open.events.close(code, text);
      else open.events.close(...handover);
    } else if (say === "lead") {
      this.#hello();
    }
  }
}
