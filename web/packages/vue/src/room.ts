import type { Frame, GatewayClient, Lost, Position, SendOptions } from "@ginforge/gateway-client";
import { onScopeDispose, shallowReadonly, shallowRef, toValue, watch } from "vue";
import type { MaybeRefOrGetter, Ref } from "vue";
import { all, bounded, needed } from "./gateway.js";

export interface RoomOptions {
  /** How many messages are kept (200). */
  limit?: number;
  /** Where to begin, in a room with history: what came behind it is fetched. */
  since?: Position;
  client?: GatewayClient;
}

export interface RoomHandle {
  /** The latest messages of the room, oldest first. */
  messages: Readonly<Ref<readonly Frame[]>>;
  /** The gateway has let us in. */
  joined: Readonly<Ref<boolean>>;
  /** Messages were missed for good: what is shown has a hole. */
  lost: Readonly<Ref<Lost | undefined>>;
  /** Why we are not in. */
  error: Readonly<Ref<Error | undefined>>;
  send(content: unknown, options?: SendOptions): Promise<Frame>;
}

/** How many components are in a room. */
const uses = new WeakMap<GatewayClient, Map<string, number>>();

function count(client: GatewayClient, room: string, change: 1 | -1): number {
  const rooms = uses.get(client) ?? new Map<string, number>();
  uses.set(client, rooms);
  const now = (rooms.get(room) ?? 0) + change;
  if (now > 0) rooms.set(room, now);
  else rooms.delete(room);
  return now;
}

/**
 * Is in a room for as long as the component lives, and keeps its latest messages. The name may be
 * reactive; an empty one is no room. The room is left when no component is in it any more.
 */
export function useRoom(room: MaybeRefOrGetter<string>, options: RoomOptions = {}): RoomHandle {
  const client = needed(options.client);
  const limit = options.limit ?? 200;
  const messages = shallowRef<Frame[]>([]);
  const joined = shallowRef(false);
  const lost = shallowRef<Lost>();
  const error = shallowRef<Error>();
  let current = "";

  const enter = (): void => {
    const name = current;
    if (!name) return;
    client.joinRoom(name, options.since).then(
      () => {
        if (name === current) joined.value = true;
      },
      (reason: unknown) => {
        if (name === current) error.value = reason as Error;
      },
    );
  };
  const leave = (): void => {
    if (current && count(client, current, -1) === 0) void client.leaveRoom(current);
    current = "";
  };
  const move = (name: string): void => {
    leave();
    messages.value = [];
    joined.value = false;
    lost.value = error.value = undefined;
    current = name;
    if (!name) return;
    count(client, name, 1);
    enter();
  };

  const end = all(
    client.on("*", (frame) => {
      if (current && frame.room === current) messages.value = bounded(messages.value, frame, limit);
    }),
    client.on("gateway:lost", (event) => {
      if (event.room === current) lost.value = event;
    }),
    client.on("gateway:state", ({ state }) => {
      // Joining again is for nothing, but for a user who has just come.
      if (state === "connected") enter();
      else joined.value = false;
    }),
    client.on("error", (frame) => {
      if (!current || frame.room !== current) return;
      joined.value = false;
      error.value = new Error(frame.content?.message);
    }),
  );
  watch(() => toValue(room), move, { immediate: true });
  onScopeDispose(() => {
    end();
    leave();
  });

  return {
    messages: shallowReadonly(messages),
    joined: shallowReadonly(joined),
    lost: shallowReadonly(lost),
    error: shallowReadonly(error),
    send: (content, send) => client.sendToRoom(current, content, send),
  };
}
