import type { GatewayClient, Notification } from "@ginforge/gateway-client";
import { computed, onScopeDispose, shallowReadonly, shallowRef, type ComputedRef, type Ref } from "vue";
import { needed } from "./gateway.js";

export interface NotificationItem extends Notification {
  id: string;
  read: boolean;
  /** Unix seconds. */
  timestamp: number | undefined;
  /** Its place in the inbox, where there is one. */
  offset: number | undefined;
}

export interface Notifications {
  /** The latest, newest first. */
  items: Readonly<Ref<readonly NotificationItem[]>>;
  unread: ComputedRef<number>;
  markRead(id: string): void;
  markAllRead(): void;
  /** Takes them off the list. */
  clear(): void;
}

/**
 * Keeps the latest notifications (100), for as long as the component lives: make it one that lives
 * as long as the page. With a client that has `autoAck: false`, what was read is acknowledged, and
 * what was not comes again with the next visit.
 */
export function useNotifications({
  limit = 100,
  client: given,
}: { limit?: number; client?: GatewayClient } = {}): Notifications {
  const client = needed(given);
  const items = shallowRef<NotificationItem[]>([]);
  let made = 0;

  const settle = (next: NotificationItem[]): void => {
    items.value = next;
    // The gateway marks all up to an offset: so nothing unread may come before it.
    let upTo: number | undefined;
    for (const { offset, read } of [...next].reverse()) {
      if (!read) break;
      upTo = offset ?? upTo;
    }
    if (upTo !== undefined) client.ack(upTo);
  };

  onScopeDispose(
    client.on("notification", ({ id, content, data, timestamp, offset }) => {
      const item = {
        ...(content ?? { title: "" }),
        id: data?.notification_id ?? id ?? `local-${++made}`,
        read: data?.read ?? false,
        timestamp,
        offset,
      };
      if (items.value.some((known) => known.id === item.id)) return;
      items.value = [item, ...items.value].slice(0, limit);
    }),
  );

  return {
    items: shallowReadonly(items),
    unread: computed(() => items.value.filter(({ read }) => !read).length),
    markRead: (id) => settle(items.value.map((item) => (item.id === id ? { ...item, read: true } : item))),
    markAllRead: () => settle(items.value.map((item) => ({ ...item, read: true }))),
    clear() {
      settle(items.value.map((item) => ({ ...item, read: true })));
      items.value = [];
    },
  };
}
