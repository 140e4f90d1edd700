import type { GatewayClient } from "@ginforge/gateway-client";
import { useStorage } from "@vueuse/core";
import { computed, ref, watch } from "vue";
import { useDirect } from "./direct.ts";
import { keptOf } from "./kept.ts";
import { useRooms } from "./rooms.ts";
import { useSending, type Said } from "./talk.ts";

const lobby = "chat:lobby";
/** How many rooms one may be in. */
const maxRooms = 20;

/** All conversations of a page, in rooms and with users, of which one is open. */
export function useTalks(client: GatewayClient, me: { user: string; name: string }) {
  const names = useStorage("demo-rooms", [lobby, "chat:coffee", "chat:help"]);
  /** The room that is open, or was before one has turned to a user. */
  const room = ref(names.value[0] ?? lobby);
  const peer = ref<string>();
  if (names.value.length === 0) names.value = [lobby];

  const { rooms, current } = useRooms(
    client,
    me,
    names,
    computed(() => (peer.value === undefined ? room.value : undefined)),
  );
  const direct = useDirect(client, me, () => peer.value, keptOf(me.user));
  const sending = useSending(me);

  /** What is open: a room's lines are those of `current`, also behind a conversation with a user. */
  const heard = computed(() =>
    peer.value === undefined
      ? (rooms.value.get(room.value)?.lines ?? [])
      : (direct.lines.value.get(peer.value) ?? []),
  );
  const place = computed(() => (peer.value === undefined ? room.value : `@${peer.value}`));
  watch(rooms, (all) => all.forEach(({ lines }) => sending.arrived(lines)));
  watch(direct.lines, (all) => all.forEach((lines) => sending.arrived(lines)));

  const enter = (name: string): void => {
    if (!names.value.includes(name)) names.value = [...names.value, name].slice(-maxRooms);
    peer.value = undefined;
    room.value = name;
  };
  return {
    names,
    rooms,
    room,
    peer,
    peers: direct.peers,
    current,
    lines: computed(() => [...heard.value, ...sending.of(place.value)]),
    nameOf: (user: string): string => direct.peers.value.find((known) => known.user === user)?.name ?? user,
    enter,
    leave: (name: string): void => {
      names.value = names.value.filter((other) => other !== name);
      if (name === room.value) room.value = names.value[0] ?? lobby;
    },
    write: (user: string, name: string): void => {
      direct.meet(user, name);
      direct.seen(user);
      peer.value = user;
    },
    send: (text: string): void => {
      const [to, name] = [peer.value, room.value];
      sending.send(place.value, text, (id) =>
        to === undefined
          ? client.sendToRoom(name, { text } satisfies Said, { id })
          : direct.send(to, text, id),
      );
    },
  };
}
