import { beforeEach, expect, test, vi } from "vitest";
import { FakeChannel, fakeBrowser } from "./browser.js";
import { FakeGateway, collect, message, pass, token } from "./fake.js";
import type { Frame, GatewayClient, Lost } from "@ginforge/gateway-client";

let gateway: FakeGateway;
const room = "chat:lobby";

beforeEach(async () => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  vi.spyOn(Math, "random").mockReturnValue(0.1);
  fakeBrowser();
  gateway = new FakeGateway();
  await import("../src/tabs.js"); // so that no test waits for it
});

/** Opens tabs of one user, one after the other. */
async function open(count: number, user = "ann"): Promise<GatewayClient[]> {
  const tabs: GatewayClient[] = [];
  for (let i = 0; i < count; i++) {
    const tab = gateway.client({ shared: true, token: token(user) });
    tabs.push(tab);
    void tab.connect();
    await pass(20);
  }
  return tabs;
}

/** All tabs join, and what they get is collected for each. */
async function inRoom(tabs: GatewayClient[], name = room): Promise<Frame[][]> {
  const got = tabs.map((tab) => collect(tab, "room_message"));
  for (const tab of tabs) void tab.joinRoom(name);
  await pass(20);
  return got;
}

const live = (): number => gateway.sockets.filter(({ closed }) => !closed).length;

test("all tabs of a user share one connection", async () => {
  const tabs = await open(3);
  expect(tabs.map(({ state }) => state)).toEqual(["connected", "connected", "connected"]);
  expect(tabs.map(({ session }) => session?.node)).toEqual(["n1", "n1", "n1"]);
  expect(gateway.sockets).toHaveLength(1);
});

test("tabs of different users do not", async () => {
  await open(1, "ann");
  const [bob] = await open(1, "bob");
  expect(bob?.connected).toBe(true);
  expect(gateway.sockets).toHaveLength(2);
});

test("every tab gets what it is in, once, and only that", async () => {
  const log = gateway.history(room, 4);
  const [a, b, c] = (await open(3)) as [GatewayClient, GatewayClient, GatewayClient];
  const [atA = [], atB = []] = await inRoom([a, b]);
  const atC = collect(c, "room_message");
  log.messages.push(message(room, 5));
  gateway.last.push(message(room, 5));
  await pass(5);
  void c.joinRoom(room, { epoch: "e1", offset: 2 });
  await pass(5);
  gateway.last.push(message(room, 6));
  await pass(5);
  expect(atA.map(({ offset }) => offset)).toEqual([5, 6]);
  expect(atB.map(({ offset }) => offset)).toEqual([5, 6]);
  expect(atC.map(({ offset }) => offset)).toEqual([3, 4, 5, 6]);
});

test("each tab gets the answers to what it has asked", async () => {
  const tabs = await open(3);
  const errors = tabs.map((tab) => collect(tab, "error"));
  gateway.intercept = (socket, { id = "", type, content }) => {
    if (type !== "presence") return false;
    socket.push({ type: "presence", id, content: { echo: content } });
    return false;
  };
  const asked = tabs.map((tab, i) => tab.presence({ room: `r${i}` }));
  await pass(20);
  expect(await Promise.all(asked)).toEqual([0, 1, 2].map((i) => ({ echo: { room: `r${i}` } })));
  gateway.intercept = (socket, { id = "" }) => {
    socket.push({ type: "error", id, content: { code: 4003, message: "no" } });
    return true;
  };
  const refused = tabs[1]?.presence({ room: "x" });
  refused?.catch(() => undefined);
  await pass(20);
  await expect(refused).rejects.toMatchObject({ code: 4003 });
  expect(errors).toEqual([[], [], []]);
});

test("a room is left when the last tab has left it, also by being closed", async () => {
  const [a, b, c] = (await open(3)) as [GatewayClient, GatewayClient, GatewayClient];
  await inRoom([a, b, c]);
  void a.leaveRoom(room);
  void b.leaveRoom(room);
  await pass(5);
  expect(gateway.last.of("leave_room")).toHaveLength(0);
  c.disconnect();
  await pass(5);
  expect(gateway.last.of("leave_room")).toHaveLength(1);
});

test("a user is watched until no tab does", async () => {
  const [a, b] = (await open(2)) as [GatewayClient, GatewayClient];
  void a.watch(["bob", "cai"]);
  void b.watch(["bob"]);
  await pass(5);
  void a.unwatch(["bob", "cai"]);
  await pass(5);
  expect(gateway.last.of("unwatch")).toMatchObject([{ content: { users: ["cai"] } }]);
});

test("when the tab with the connection goes, another takes over, and nothing is missed", async () => {
  const log = gateway.history(room);
  const tabs = await open(3);
  const got = await inRoom(tabs);
  const lost = tabs.map((tab) => collect<Lost>(tab, "gateway:lost"));
  gateway.last.push(message(room, 1));
  log.messages.push(message(room, 1));
  await pass(5);
  tabs[0]?.disconnect();
  log.messages.push(message(room, 2));
  await pass(200);
  expect(live()).toBe(1);
  gateway.last.push(message(room, 3));
  await pass(5);
  expect(tabs.map(({ state }) => state)).toEqual(["idle", "connected", "connected"]);
  expect(got.map((frames) => frames.map(({ offset }) => offset))).toEqual([[1], [1, 2, 3], [1, 2, 3]]);
  expect(lost.flat()).toEqual([]);
});

test("when the connection ends, one tab opens it again for all", async () => {
  const log = gateway.history(room);
  const tabs = await open(3);
  const got = await inRoom(tabs);
  gateway.last.drop();
  log.messages.push(message(room, 1));
  await pass(10);
  expect(tabs.map(({ connected }) => connected)).toEqual([false, false, false]);
  await pass(2000);
  expect(tabs.map(({ connected }) => connected)).toEqual([true, true, true]);
  expect(gateway.sockets).toHaveLength(2);
  expect(got.map((frames) => frames.length)).toEqual([1, 1, 1]);
});

test("40xx stops all of them", async () => {
  const tabs = await open(3);
  gateway.last.drop(4010, { reason: "disconnected" });
  await pass(60_000);
  expect(tabs.map(({ state }) => state)).toEqual(["closed", "closed", "closed"]);
  expect(gateway.sockets).toHaveLength(1);
});

test("the queue of a tab goes out over the connection of another", async () => {
  const [, b] = (await open(2)) as [GatewayClient, GatewayClient];
  gateway.last.drop();
  const acks = [1, 2].map((n) => b.sendToRoom(room, n));
  await pass(2000);
  await Promise.all(acks);
  expect(gateway.last.of("room_message").map(({ content }) => content)).toEqual([1, 2]);
});

test("a tab that is frozen loses the connection to one that is not", async () => {
  const [a, b] = (await open(2)) as [GatewayClient, GatewayClient];
  const [channel] = FakeChannel.all();
  if (!channel) throw new Error("there is no channel");
  const first = gateway.last;
  channel.frozen = true;
  await pass(35_000);
  while (!first.closed) await pass(1);
  channel.frozen = false;
  await pass(60_000);
  expect([a.connected, b.connected]).toEqual([true, true]);
  expect(a.session).toBeDefined();
  expect(live()).toBe(1);
});

test("all tabs move with the connection when the server asks for a new one", async () => {
  const log = gateway.history(room);
  const tabs = await open(3);
  const got = await inRoom(tabs);
  const plain = await inRoom(tabs, "plain");
  const old = gateway.last;
  old.push({ type: "reconnect", data: { delay_ms: 10 } });
  await pass(15);
  for (const socket of gateway.sockets) socket.push(message(room, 1));
  for (const socket of gateway.sockets) socket.push(message("plain", undefined, { content: "hi" }));
  log.messages.push(message(room, 1));
  await pass(3000);
  expect(old.closed).toBe(true);
  expect(gateway.sockets).toHaveLength(2);
  const joins = gateway.last.of("join_room").map(({ content }) => content);
  expect(joins).toHaveLength(6);
  log.messages.push(message(room, 2));
  gateway.last.push(message(room, 2));
  await pass(5);
  expect(
    got.map((frames) => frames.filter((frame) => frame.room === room).map(({ offset }) => offset)),
  ).toEqual([
    [1, 2],
    [1, 2],
    [1, 2],
  ]);
  expect(plain.map((frames) => frames.filter((frame) => frame.room === "plain").length)).toEqual([1, 1, 1]);
});

test("without Web Locks each tab has its own connection", async () => {
  vi.stubGlobal("navigator", {});
  const tabs = await open(2);
  expect(tabs.map(({ connected }) => connected)).toEqual([true, true]);
  expect(gateway.sockets).toHaveLength(2);
});
