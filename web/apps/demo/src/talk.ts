import type { Frame, GatewayClient } from "@ginforge/gateway-client";
import { useStorage } from "@vueuse/core";
import { onScopeDispose, shallowRef, type Ref } from "vue";

/** One line of a conversation. */
export interface Line {
  key: string;
  from: string;
  name: string;
  text: string;
  /** Unix seconds. */
  time: number | undefined;
  mine: boolean;
  /** It has not reached the gateway yet, or never will. */
  sending?: "waiting" | "refused";
  reason?: string;
}

/** What one says: the content of room and user messages of this page. */
export interface Said {
  text: string;
  /** With a user message that goes to one's own devices: whom it was written to. */
  peer?: string;
  /** The id under which the sender's page already shows it. */
  line?: string;
}

/** The text of a message, whatever sent it. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  const text = (content as { text?: unknown } | undefined)?.text;
  return typeof text === "string" ? text : JSON.stringify(content ?? null);
}

/** The line for a message that has come. */
export function lineOf(frame: Frame, me: string): Line {
  const from = frame.from ?? "";
  return {
    key: frame.id ?? `${frame.room ?? "inbox"} ${frame.offset ?? Math.random()}`,
    from,
    name: frame.from_name ?? from,
    text: textOf(frame.content),
    time: frame.timestamp,
    mine: from === me,
  };
}

const now = (): number => Math.floor(Date.now() / 1000);

/** Sends, and shows the line until it comes back, with what became of it. */
export function useSending(me: { user: string; name: string }) {
  const lines = shallowRef<Line[]>([]);
  const change = (key: string, to: Partial<Line> | undefined): void => {
    lines.value = lines.value.flatMap((line) => (line.key !== key ? [line] : to ? [{ ...line, ...to }] : []));
  };
  return {
    lines: lines as Readonly<Ref<readonly Line[]>>,
    /** The message has come back: the page shows that one. */
    arrived: (key: string) => change(key, undefined),
    send: (text: string, transmit: (id: string) => Promise<unknown>): void => {
      const key = crypto.randomUUID();
      const line: Line = {
        key,
        from: me.user,
        name: me.name,
        text,
        time: now(),
        mine: true,
        sending: "waiting",
      };
      lines.value = [...lines.value, line];
      transmit(key).catch((error: unknown) =>
        change(key, { sending: "refused", reason: (error as Error).message }),
      );
    },
  };
}

/** Somebody with whom messages were exchanged. */
export interface Peer {
  user: string;
  name: string;
  unseen: number;
}

/** How many lines of a direct conversation are kept. */
const maxLines = 200;

/**
 * The direct messages of this visit, by the other side. What one writes goes to one's own devices
 * too, so that all of them show the same.
 */
export function useDirect(
  client: GatewayClient,
  me: { user: string; name: string },
  open: () => string | undefined,
) {
  const peers = useStorage<Peer[]>(`demo-peers-${me.user}`, []);
  const lines = shallowRef<ReadonlyMap<string, readonly Line[]>>(new Map());

  const meet = (user: string, name: string, unseen: number): void => {
    const known = peers.value.find((peer) => peer.user === user);
    if (!known) peers.value = [{ user, name, unseen }, ...peers.value].slice(0, 30);
    else Object.assign(known, { name, unseen: unseen && known.unseen + unseen });
  };
  const add = (user: string, line: Line): void => {
    const before = lines.value.get(user) ?? [];
    if (before.some(({ key }) => key === line.key)) return;
    lines.value = new Map(lines.value).set(user, [...before.slice(1 - maxLines), line]);
  };

  onScopeDispose(
    client.on("user_message", (frame) => {
      const line = lineOf(frame, me.user);
      const said = frame.content as Said | undefined;
      if (line.mine) {
        if (said?.peer && said.peer !== me.user) add(said.peer, { ...line, key: said.line ?? line.key });
        return;
      }
      if (!line.from) return; // a backend's
      meet(line.from, line.name, open() === line.from ? 0 : 1);
      add(line.from, { ...line, key: said?.line ?? line.key });
    }),
  );

  return {
    peers,
    lines: lines as Readonly<Ref<ReadonlyMap<string, readonly Line[]>>>,
    meet: (user: string, name: string) => meet(user, name, 0),
    seen: (user: string) => {
      const peer = peers.value.find((known) => known.user === user);
      if (peer) peer.unseen = 0;
    },
    send: (to: string, text: string, id: string): Promise<unknown> => {
      const said: Said = { text, line: id };
      return Promise.all([
        client.sendToUser(to, said, { id }),
        client.sendToUser(me.user, { ...said, peer: to }, { id: `${id}-own` }),
      ]);
    },
  };
}
