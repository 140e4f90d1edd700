import type { GatewayClient, Position } from "@ginforge/gateway-client";

/** How many messages of a room are shown to who enters it. */
const shown = 50;

/**
 * How far a room is; undefined where no history is kept. The gateway tells in `joined`, so the room
 * is entered once to find out.
 */
export async function endOf(client: GatewayClient, room: string): Promise<Position | undefined> {
  try {
    const { epoch, offset } = await client.joinRoom(room);
    await client.leaveRoom(room);
    return epoch === undefined || offset === undefined ? undefined : { epoch, offset };
  } catch {
    return undefined; // entering it for good will show why
  }
}

/** Where to begin in order to get the latest messages. */
export function before({ epoch, offset }: Position): Position {
  return { epoch, offset: Math.max(0, offset - shown) };
}
