import type { GatewayClient, Position } from "@ginforge/gateway-client";

/** How many messages of a room are shown to who enters it. */
const shown = 50;

/**
 * Where to begin in a room in order to get its latest messages; undefined where none are kept. The
 * gateway tells in `joined` how far the room is, so it is entered once to find out.
 */
export async function latest(client: GatewayClient, room: string): Promise<Position | undefined> {
  try {
    const { epoch, offset } = await client.joinRoom(room);
    await client.leaveRoom(room);
    if (epoch === undefined || offset === undefined) return undefined;
    return { epoch, offset: Math.max(0, offset - shown) };
  } catch {
    return undefined; // entering it for good will show why
  }
}
