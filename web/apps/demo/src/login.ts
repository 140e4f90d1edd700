import { GatewayClient } from "@ginforge/gateway-client";

/** Who uses the page, as the address says: `?user=ann&name=Ann&device=phone`. */
export interface Login {
  user: string;
  name: string;
  device: string | undefined;
}

/** What the address says, if it names a user. */
export function loginOf(address: URL): Login | undefined {
  const { searchParams } = address;
  const name = searchParams.get("name")?.trim();
  const user = searchParams.get("user") ?? (name && userOf(name));
  if (!user) return undefined;
  return { user, name: name ?? user, device: searchParams.get("device") ?? undefined };
}

/** The address of the page for a login, or for nobody. */
export function addressOf(login: Login | undefined, address: URL): URL {
  const next = new URL(address);
  next.search = "";
  if (!login) return next;
  next.searchParams.set("user", login.user);
  next.searchParams.set("name", login.name);
  if (login.device) next.searchParams.set("device", login.device);
  return next;
}

/** The user's id for a name: Ann becomes ann. Names of other alphabets are their own ids. */
export function userOf(name: string): string {
  return name.trim().toLowerCase().replace(/\s+/g, "-").slice(0, 64);
}

interface TokenAnswer {
  message: string;
  data?: { token: string };
}

/** Gets a token from the gateway, which gives one to anybody in development mode. */
export async function fetchToken({ user, name }: Login): Promise<string> {
  const response = await fetch(`dev/token?${new URLSearchParams({ user, name }).toString()}`);
  const { data, message } = (await response.json()) as TokenAnswer;
  if (!data) throw new Error(message);
  return data.token;
}

/** The connection of a login. The inbox is acknowledged as far as its notifications were read. */
export function clientOf(login: Login): GatewayClient {
  return new GatewayClient({
    url: new URL("ws", document.baseURI),
    getToken: () => fetchToken(login),
    autoAck: false,
    queue: { persist: true },
    ...(login.device !== undefined && { device: login.device }),
  });
}
