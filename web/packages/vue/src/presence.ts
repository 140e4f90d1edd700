import type { GatewayClient, RoomPresence } from "@ginforge/gateway-client";
import { onScopeDispose, shallowReadonly, shallowRef, toValue, watch } from "vue";
import type { MaybeRefOrGetter, Ref } from "vue";
import { all, needed } from "./gateway.js";

/** Those to look after: some users, or whoever is in a room. */
export type PresenceOf = { users: string[] } | { room: string };

export interface Presence {
  /** The ids of those who are online. */
  online: Readonly<Ref<ReadonlySet<string>>>;
  /** With a room, who is in it. */
  members: Readonly<Ref<RoomPresence["users"]>>;
  isOnline(user: string): boolean;
  /** Asks again now. */
  refresh(): Promise<void>;
}

/** A room is asked for its members at most this often, in milliseconds: each question costs ten frames. */
const pause = 2_000;

/**
 * A node that is late is missing from the answer, and those with it who are in the room there. So
 * who was told to have come is asked for so often before he is taken for gone again.
 */
const patience = 3;

/** How many components watch a user. */
const watchers = new WeakMap<GatewayClient, Map<string, number>>();

function count(client: GatewayClient, users: string[], change: 1 | -1): string[] {
  const counts = watchers.get(client) ?? new Map<string, number>();
  watchers.set(client, counts);
  return users.filter((user) => {
    const now = (counts.get(user) ?? 0) + change;
    if (now > 0) counts.set(user, now);
    else counts.delete(user);
    return now <= 0;
  });
}

/**
 * Knows who is online, for as long as the component lives, also across reconnects, and when the
 * node was cut off from Redis.
 */
export function usePresence(of: MaybeRefOrGetter<PresenceOf>, given?: GatewayClient): Presence {
  const client = needed(given);
  const online = shallowRef<ReadonlySet<string>>(new Set());
  const members = shallowRef<RoomPresence["users"]>([]);
  let current: PresenceOf = { users: [] };
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Who has come and was in no answer yet, and in how many he was not. */
  const awaited = new Map<string, number>();

  const mark = (users: string[], now: string[]): void => {
    const next = new Set(online.value);
    for (const user of users) next.delete(user);
    for (const user of now) next.add(user);
    online.value = next;
  };
  const missed = (users: string[]): void => {
    for (const user of users) {
      const times = (awaited.get(user) ?? 0) + 1;
      if (times < patience) awaited.set(user, times);
      else awaited.delete(user);
    }
    if (awaited.size > 0) soon();
  };
  const refresh = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const asked = current;
    if ("room" in asked) {
      const { users } = await client.presence(asked).catch((error: unknown) => {
        if (asked === current) missed([...awaited.keys()]);
        throw error;
      });
      if (asked !== current) return;
      for (const { user_id } of users) awaited.delete(user_id);
      missed([...awaited.keys()]);
      members.value = users;
      online.value = new Set(users.map(({ user_id }) => user_id));
    } else if (asked.users.length > 0) {
      const { users } = await client.presence(asked);
      if (asked !== current) return;
      online.value = new Set(users.filter(({ status }) => status === "online").map(({ user_id }) => user_id));
    }
  };
  const soon = (): void => {
    timer ??= setTimeout(() => void refresh().catch(() => undefined), pause);
  };
  const stop = (): void => {
    if ("room" in current) return;
    const unwatched = count(client, current.users, -1);
    if (unwatched.length > 0) client.unwatch(unwatched).catch(() => undefined);
  };
  const start = (next: PresenceOf): void => {
    stop();
    current = next;
    online.value = new Set();
    members.value = [];
    awaited.clear();
    if ("room" in next) {
      void refresh().catch(() => undefined);
    } else if (next.users.length > 0) {
      count(client, next.users, 1);
      client.watch(next.users).catch(() => undefined);
    }
  };

  const end = all(
    client.on("gateway:online", ({ users, online: now }) => {
      const { users: mine = [] } = current as { users?: string[] };
      mark(
        users.filter((user) => mine.includes(user)),
        now.filter((user) => mine.includes(user)),
      );
    }),
    client.on("user_status", ({ room, content }) => {
      if (!content) return;
      const { user_id, status } = content;
      if ("room" in current) {
        if (room !== undefined && room !== current.room) return;
        if (status === "online") {
          awaited.set(user_id, 0);
        } else {
          awaited.delete(user_id);
          mark([user_id], []);
          members.value = members.value.filter((member) => member.user_id !== user_id);
        }
        soon();
      } else if (current.users.includes(user_id)) {
        mark([user_id], status === "online" ? [user_id] : []);
      }
    }),
    client.on("joined", ({ room }) => {
      if ("room" in current && current.room === room) void refresh().catch(() => undefined);
    }),
    // Who has left a room while the node was cut off is not told.
    client.on("system", ({ content }) => {
      if ("room" in current && content?.event === "restored") soon();
    }),
  );
  watch(() => toValue(of), start, { immediate: true });
  onScopeDispose(() => {
    end();
    stop();
    clearTimeout(timer);
  });

  return {
    online: shallowReadonly(online),
    members: shallowReadonly(members),
    isOnline: (user) => online.value.has(user),
    refresh,
  };
}
