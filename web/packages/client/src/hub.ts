import { Overlap } from "./duplicates.js";
import type { Dialer, Link, LinkEvents } from "./link.js";
import type { Frame } from "./protocol.js";

/** Brings a text to one tab, or with undefined to all but the one with the connection. */
export type Tell = (tab: string | undefined, text: string) => void;

/** Frames that answer one that had an id. */
const answers = new Set(["ack", "error", "joined", "left", "pong", "presence"]);

/**
 * What the tab with the connection does for the others: it passes on what they send, brings
 * each the answers to what it has asked, and all of them everything else. A room is left, and a
 * user is watched no more, when the last tab wants that.
 */
export class Hub {
  /** All connections of the own tab's client. */
  readonly #opened = new Map<Link, LinkEvents>();
  /** Those that are there: the one in use, last, behind one that is being replaced. */
  #links: Link[] = [];
  /** What a tab that comes later has missed: `welcome`, and `joined` for the rooms of the token. */
  #intro: string[] = [];
  readonly #askers = new Map<string, string>();
  readonly #users = new Map<string, Set<string>>();
  readonly #overlap = new Overlap();

  /**
   * @param own the tab with the connection
   * @param closed is called when no connection is left
   */
  constructor(
    private readonly dialer: Dialer,
    private readonly own: string,
    private readonly tell: Tell,
    private readonly closed: (code: number, reason: string) => void,
  ) {}

  /** Opens a connection for the own tab's client. */
  open(url: string, token: string, events: LinkEvents): Link {
    const link: Link = this.dialer.open(url, token, {
      message: (text) => this.#brought(text, link, events),
      close: (code, reason) => {
        this.#gone(link, code, reason);
        events.close(code, reason);
      },
    });
    this.#opened.set(link, events);
    return {
      send: (text) => this.send(this.own, text, link),
      close: () => {
        link.close();
        this.#gone(link, 1006, "");
      },
    };
  }

  /** Lets a tab in: it gets what the others had at the beginning. */
  greet(tab: string): void {
    for (const text of this.#intro) this.tell(tab, text);
  }

  /** Sends what a tab has to say. */
  send(tab: string, text: string, link = this.#links.at(-1)): void {
    if (!link) return;
    const frame = JSON.parse(text) as Frame<{ room?: string; users?: string[] } | string>;
    const { id, type, content } = frame;
    const users = typeof content === "object" ? (content.users ?? []) : [];
    if (id !== undefined) this.#askers.set(id, tab);
    if (type === "join_room") this.#use(typeof content === "string" ? content : content?.room, tab);
    for (const user of type === "watch" ? users : []) this.#use(`@${user}`, tab);
    if (type === "leave_room" && !this.#last(frame.room ?? "", tab)) {
      this.#answer(tab, { type: "left", id, room: frame.room } as Frame);
    } else if (type === "unwatch") {
      const last = users.filter((user) => this.#last(`@${user}`, tab));
      if (last.length > 0) link.send(JSON.stringify({ ...frame, content: { users: last } }));
      else this.#answer(tab, { type: "ack", id } as Frame);
    } else {
      link.send(text);
    }
  }

  /** A tab is gone. */
  bye(tab: string): void {
    const link = this.#links.at(-1);
    for (const key of [...this.#users.keys()]) {
      if (!this.#users.get(key)?.has(tab) || !this.#last(key, tab)) continue;
      const frame = key.startsWith("@")
        ? { type: "unwatch", content: { users: [key.slice(1)] } }
        : { type: "leave_room", room: key };
      link?.send(JSON.stringify(frame));
    }
  }

  /** Ends everything. The own tab's client is told as if the gateway had done it. */
  stop(code: number, reason: string): void {
    for (const [link, events] of this.#opened) {
      link.close();
      events.close(code, reason);
    }
    this.#opened.clear();
    this.#links = [];
  }

  #brought(text: string, link: Link, events: LinkEvents): void {
    const type = /^\{"type":"(\w+)"/.exec(text)?.[1] ?? "";
    let tab: string | undefined;
    if (type === "welcome") {
      this.#links.push(link);
      this.#intro = [text];
    } else if (answers.has(type)) {
      const { id } = JSON.parse(text) as Frame;
      if (id !== undefined) tab = this.#askers.get(id);
      else if (type === "joined") this.#intro.push(text);
      if (id !== undefined && (type === "ack" || type === "error")) this.#askers.delete(id);
    }
    if (tab === undefined || tab === this.own) events.message(text);
    if (tab === this.own || type === "reconnect") return;
    const twice = this.#links.length > 1 && tab === undefined && type !== "welcome";
    // What has an offset is told apart by that.
    if (twice && !text.includes('"offset":') && this.#overlap.has(text, link === this.#links.at(-1))) return;
    this.tell(tab, text);
  }

  #gone(link: Link, code: number, reason: string): void {
    this.#opened.delete(link);
    const index = this.#links.indexOf(link);
    if (index >= 0) this.#links.splice(index, 1);
    if (this.#links.length < 2) this.#overlap.clear();
    if (this.#links.length > 0) return;
    this.#intro = [];
    this.#askers.clear();
    this.#users.clear();
    this.closed(code, reason);
  }

  #answer(tab: string, frame: Frame): void {
    if (frame.id === undefined) return;
    this.#askers.delete(frame.id);
    this.tell(tab, JSON.stringify(frame));
  }

  #use(key: string | undefined, tab: string): void {
    if (key === undefined) return;
    const users = this.#users.get(key);
    if (users) users.add(tab);
    else this.#users.set(key, new Set([tab]));
  }

  /** Notes that a tab is done with something. Reports whether nobody else uses it. */
  #last(key: string, tab: string): boolean {
    const users = this.#users.get(key);
    users?.delete(tab);
    if (users && users.size > 0) return false;
    this.#users.delete(key);
    return true;
  }
}
