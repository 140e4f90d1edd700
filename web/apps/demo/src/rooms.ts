import type { Frame, GatewayClient, Position } from "@ginforge/gateway-client";
import { useStorage } from "@vueuse/core";
import { computed, onScopeDispose, shallowRef, watch, type Ref } from "vue";
import { enter } from "./history.ts";
import { lineOf, type Line } from "./talk.ts";

/** A room that one is in, whether it is looked at or not. */
export interface RoomState {
  /** The latest lines. */
  lines: readonly Line[];
  /** How many others have written since one has looked. */
  unseen: number;
  /** It begins with what was said before one came. */
  history: boolean;
  /** Messages were missed for good. */
  lost: boolean;
  /** Why one is not in. */
  error: string | undefined;
}

/** How many lines of a room are kept. */
const maxLines = 200;
const empty: RoomState = { lines: [], unseen: 0, history: false, lost: false, error: undefined };

/** Is in all rooms of a list, and keeps the latest lines of each. */
export function useRooms(
  client: GatewayClient,
  me: { user: string },
  names: Ref<readonly string[]>,
  open: Ref<string | undefined>,
) {
  const rooms = shallowRef<ReadonlyMap<string, RoomState>>(new Map());
  /** How far one has looked, in rooms with history. */
  const seen = useStorage<Record<string, Position>>(`demo-seen-${me.user}`, {});
  /** Where the rooms were when one came. */
  const ends = new Map<string, Position>();

  const set = (name: string, change: (room: RoomState) => Partial<RoomState>): void => {
    const room = rooms.value.get(name);
    if (room) rooms.value = new Map(rooms.value).set(name, { ...room, ...change(room) });
  };
  const begin = async (name: string): Promise<void> => {
    try {
      await enter(client, name, (end) => {
        if (!rooms.value.has(name)) return false; // left in the meantime
        ends.set(name, end);
        if (seen.value[name]?.epoch !== end.epoch) seen.value[name] = { ...end };
        return true;
      });
      set(name, () => ({ error: undefined }));
    } catch (error) {
      set(name, () => ({ error: (error as Error).message }));
    }
  };
  const take = (name: string, frame: Frame): void => {
    const line = lineOf(frame, me.user);
    const { offset } = frame;
    const looked = seen.value[name];
    const known = offset !== undefined && looked !== undefined && offset <= looked.offset;
    if (open.value === name && offset !== undefined && looked && !known) looked.offset = offset;
    set(name, ({ lines, unseen, history }) => ({
      lines: [...lines.slice(1 - maxLines), line],
      unseen: open.value === name ? 0 : unseen + (line.mine || known ? 0 : 1),
      history: history || (offset !== undefined && offset <= (ends.get(name)?.offset ?? 0)),
    }));
  };

  watch(
    names,
    (now) => {
      for (const name of rooms.value.keys()) {
        if (now.includes(name)) continue;
        void client.leaveRoom(name);
        rooms.value = new Map([...rooms.value].filter(([other]) => other !== name));
        ends.delete(name);
      }
      for (const name of now) {
        if (rooms.value.has(name)) continue;
        rooms.value = new Map(rooms.value).set(name, empty);
        void begin(name);
      }
    },
    { immediate: true },
  );
  watch(open, (name) => {
    if (name === undefined) return;
    set(name, () => ({ unseen: 0 }));
    const position = client.position(name);
    if (position) seen.value[name] = position;
  });
  const endings = [
    client.on("*", (frame) => {
      const { room, type } = frame;
      if (room !== undefined && type !== "user_status" && rooms.value.has(room)) take(room, frame);
    }),
    client.on("gateway:lost", ({ room }) => room !== undefined && set(room, () => ({ lost: true }))),
    client.on("error", ({ room, content }) => {
      if (typeof room === "string") set(room, () => ({ error: content?.message ?? "" }));
    }),
  ];
  onScopeDispose(() => endings.forEach((end) => end()));

  return {
    rooms: rooms as Readonly<Ref<ReadonlyMap<string, RoomState>>>,
    /** The room that is open. */
    current: computed(() => rooms.value.get(open.value ?? "") ?? empty),
  };
}
