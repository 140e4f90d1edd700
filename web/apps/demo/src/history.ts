import type { GatewayClient, Position } from "@ginforge/gateway-client";

/** How many messages of a room are shown to who enters it. */
const shown = 50;

/**
 * Enters a room together with its latest messages, where history is kept. How far the room is the
 * gateway tells in `joined`, so it is entered once to find out.
 *
 * @param at is told how far that is, before any message comes. It reports whether to go on: the room
 *   may have been left in the meantime.
 */
export async function enter(
  client: GatewayClient,
  room: string,
  at: (end: Position) => boolean,
): Promise<void> {
  const { epoch, offset } = await client.joinRoom(room);
  if (epoch === undefined || offset === undefined || !at({ epoch, offset })) return;
  // The second join goes out right behind this, and does not wait for the answer: what the user
  // writes meanwhile would be refused, as from somebody who is not in the room.
  client.leaveRoom(room).catch(() => undefined);
  await client.joinRoom(room, before({ epoch, offset }));
}

/** Where to begin in order to get the latest messages. */
export function before({ epoch, offset }: Position): Position {
  return { epoch, offset: Math.max(0, offset - shown) };
}
