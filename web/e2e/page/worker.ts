import { GatewayClient, type Frame } from "@ginforge/gateway-client";

// The client in a worker: it connects as it is told, and passes on what it hears.
self.onmessage = async ({ data }: MessageEvent<{ url: string; token: string; room: string }>) => {
  const client = new GatewayClient({ ...data, shared: true, queue: { persist: true } });
  client.on("room_message", (frame: Frame) => self.postMessage(frame.content));
  await client.connect();
  await client.joinRoom(data.room);
  await client.sendToRoom(data.room, "from the worker");
};
