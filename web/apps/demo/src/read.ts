import type { GatewayClient } from "@ginforge/gateway-client";
import type { Notifications } from "@ginforge/gateway-vue";
import { onScopeDispose } from "vue";

/**
 * Marks notifications as read on all devices of a user. The gateway keeps how far each device has
 * read its inbox, for each its own; that something was read elsewhere is for the application to
 * say, and this one says it in a message to the user's own devices.
 *
 * Returns the function that marks.
 */
export function useSharedRead(
  client: GatewayClient,
  me: string,
  { markRead }: Pick<Notifications, "markRead">,
): (ids: readonly string[]) => void {
  onScopeDispose(
    client.on("user_message", ({ from, content }) => {
      const { read } = (content ?? {}) as { read?: unknown };
      if (from === me && Array.isArray(read)) read.forEach((id) => markRead(String(id)));
    }),
  );
  return (ids) => {
    ids.forEach(markRead);
    if (ids.length > 0) client.sendToUser(me, { read: ids }).catch(() => undefined); // this device knows
  };
}
