import type { Frame, GatewayClient, Position } from "@ginforge/gateway-client";
import { useStorage } from "@vueuse/core";
import { onScopeDispose, shallowRef, type Ref } from "vue";
import type { Kept } from "./kept.ts";
import { lineOf, type Line, type Said } from "./talk.ts";

/** Somebody with whom messages were exchanged. */
export interface Peer {
  user: string;
  name: string;
  unseen: number;
}

/** How many lines of a conversation are kept, and how many conversations. */
const maxLines = 200;
const maxPeers = 30;

/** Joins two lists of lines, each line once, to the latest that are kept. */
export function merged(older: readonly Line[], newer: readonly Line[]): readonly Line[] {
  const known = new Set(older.map(({ key }) => key));
  const more = newer.filter(({ key }) => !known.has(key));
  return more.length > 0 ? [...older, ...more].slice(-maxLines) : older;
}

/**
 * Says of each message of the inbox whether this browser has had it before: what was not
 * acknowledged comes again with every visit. The place is in localStorage, where the tabs of the
 * browser see it at once, so that only one of them counts a message.
 */
export function inboxMark(me: string, epoch: () => string | undefined): (frame: Frame) => boolean {
  const key = `demo-inbox-${me}`;
  return ({ offset }) => {
    const now = epoch();
    if (offset === undefined || now === undefined) return false; // no inbox: nothing comes twice
    try {
      const known = JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Position>;
      if (known.epoch === now && offset <= (known.offset ?? 0)) return true;
      localStorage.setItem(key, JSON.stringify({ epoch: now, offset } satisfies Position));
    } catch {
      // where nothing can be kept, nothing was counted before
    }
    return false;
  };
}

/**
 * Direct messages, by the other side, kept by the browser. What one writes goes to one's own devices
 * too, so that all of them show the same.
 */
export function useDirect(
  client: GatewayClient,
  me: { user: string; name: string },
  open: () => string | undefined,
  kept: Kept,
) {
  const peers = useStorage<Peer[]>(`demo-peers-${me.user}`, []);
  const lines = shallowRef<ReadonlyMap<string, readonly Line[]>>(new Map());
  const had = inboxMark(me.user, () => client.session?.inbox?.epoch);

  const meet = (user: string, name: string, unseen: number): void => {
    const known = peers.value.find((peer) => peer.user === user);
    if (!known) peers.value = [{ user, name, unseen }, ...peers.value].slice(0, maxPeers);
    else Object.assign(known, { name, unseen: known.unseen + unseen });
  };
  const seen = (user: string): void => {
    const peer = peers.value.find((known) => known.user === user);
    if (peer) peer.unseen = 0;
  };
  // What comes while this is read is newer than all of it.
  const reading = kept.all().then((all) => {
    const next = new Map(lines.value);
    for (const [user, older] of all) next.set(user, merged(older, next.get(user) ?? []));
    lines.value = next;
  });
  const add = (user: string, line: Line): void => {
    const before = lines.value.get(user) ?? [];
    const after = merged(before, [line]);
    if (after === before) return;
    lines.value = new Map(lines.value).set(user, after);
    void reading.then(() => kept.put(user, lines.value.get(user) ?? after));
  };

  onScopeDispose(
    client.on("user_message", (frame) => {
      const line = lineOf(frame, me.user);
      const said = frame.content as Said | undefined;
      const before = had(frame);
      if (line.mine) {
        if (said?.peer && said.peer !== me.user) add(said.peer, { ...line, key: said.line ?? line.key });
        return;
      }
      if (!line.from) return; // a backend's
      meet(line.from, line.name, before || open() === line.from ? 0 : 1);
      add(line.from, { ...line, key: said?.line ?? line.key });
    }),
  );

  return {
    peers,
    lines: lines as Readonly<Ref<ReadonlyMap<string, readonly Line[]>>>,
    meet: (user: string, name: string) => meet(user, name, 0),
    seen,
    send: (to: string, text: string, id: string): Promise<unknown> => {
      const said: Said = { text, line: id };
      return Promise.all([
        client.sendToUser(to, said, { id }),
        client.sendToUser(me.user, { ...said, peer: to }, { id: `${id}-own` }),
      ]);
    },
  };
}
