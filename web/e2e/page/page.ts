import {
  GatewayClient,
  type Frame,
  type Lost,
  type Options,
  type StateChange,
} from "@ginforge/gateway-client";

/** What a test asks of the page, in the fragment of its address. */
export interface PageOptions extends Options {
  user: string;
  /** What the token says the user is called. */
  name?: string;
  /** How long tokens are good for. */
  seconds: number;
  rooms: string[];
}

/** What the page shows a test. */
export interface Harness {
  client: GatewayClient;
  frames: Frame[];
  states: StateChange[];
  lost: Lost[];
  /** How often a token was asked for, and why. */
  tokens: string[];
}

declare global {
  interface Window {
    harness: Harness;
  }
}

const { user, name, seconds, rooms, ...options } = JSON.parse(
  decodeURIComponent(location.hash.slice(1)),
) as PageOptions;

const tokens: string[] = [];
const client = new GatewayClient({
  ...options,
  ...(options.token === undefined && {
    async getToken(why: string) {
      tokens.push(why);
      const query = new URLSearchParams({ user, seconds: String(seconds), ...(name && { name }) });
      return (await fetch(`/token?${query}`)).text();
    },
  }),
});
window.harness = { client, frames: [], states: [], lost: [], tokens };
client.on("*", (frame) => window.harness.frames.push(frame));
client.on("gateway:state", (change) => window.harness.states.push(change));
client.on("gateway:lost", (lost) => window.harness.lost.push(lost));
for (const room of rooms) void client.joinRoom(room);
void client.connect();
