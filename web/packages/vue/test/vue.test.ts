import { createPinia, setActivePinia } from "pinia";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp, effectScope, nextTick, ref, type EffectScope } from "vue";
import {
  createGateway,
  createGatewayStore,
  useGateway,
  useGatewayStore,
  useNotifications,
  usePresence,
  useRoom,
} from "@ginforge/gateway-vue";
import type { Frame, GatewayClient } from "@ginforge/gateway-client";
import { FakeGateway, message, pass, token } from "../../client/test/fake.js";

let gateway: FakeGateway;
let client: GatewayClient;
let scopes: EffectScope[];

/** Runs a component's setup in an application with the plugin. */
function setup<T>(work: () => T): { result: T; unmount: () => void } {
  const app = createApp({}).use(createGateway(client));
  const scope = effectScope();
  scopes.push(scope);
  const result = app.runWithContext(() => scope.run(work)) as T;
  return { result, unmount: () => scope.stop() };
}

beforeEach(async () => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  vi.spyOn(Math, "random").mockReturnValue(0.1);
  scopes = [];
  gateway = new FakeGateway();
  client = gateway.client();
  void client.connect();
  await pass(1);
});

afterEach(() => {
  for (const scope of scopes) scope.stop();
});

async function reconnect(): Promise<void> {
  gateway.last.drop();
  await pass(1000);
}

describe("useGateway", () => {
  test("shows the connection", async () => {
    const { result } = setup(() => useGateway());
    expect(result.connected.value).toBe(true);
    expect(result.session.value?.node).toBe("n1");
    gateway.last.drop(4200, { reason: "draining", delay_ms: 300 });
    expect(result.change.value).toEqual({ state: "waiting", code: 4200, reason: "draining", delay: 300 });
    void client.sendToRoom("r", 1);
    expect(result.queued.value).toBe(1);
    expect(setup(() => useGateway()).result.queued.value, "for who comes later").toBe(1);
    await pass(400);
    expect([result.state.value, result.queued.value]).toEqual(["connected", 0]);
  });

  test("says what is missing outside of an application", () => {
    expect(() => effectScope().run(() => useGateway())).toThrow("createGateway");
  });
});

describe("useRoom", () => {
  test("joins, collects the last messages, and leaves", async () => {
    const { result, unmount } = setup(() => useRoom("r", { limit: 3 }));
    await pass(1);
    expect(result.joined.value).toBe(true);
    for (const n of [1, 2, 3, 4]) gateway.last.push(message("r", undefined, { content: n }));
    gateway.last.push(message("other"));
    expect(result.messages.value.map(({ content }) => content)).toEqual([2, 3, 4]);
    await result.send("hi");
    expect(gateway.last.of("room_message")).toMatchObject([{ room: "r", content: "hi" }]);
    unmount();
    await pass(1);
    expect(gateway.last.of("leave_room")).toHaveLength(1);
  });

  test("follows the name", async () => {
    const name = ref("a");
    const { result } = setup(() => useRoom(name));
    await pass(1);
    gateway.last.push(message("a"));
    name.value = "b";
    await nextTick();
    expect(result.messages.value).toEqual([]);
    await pass(1);
    gateway.last.push(message("b"));
    expect(result.messages.value).toHaveLength(1);
    expect(gateway.last.of("leave_room")).toMatchObject([{ room: "a" }]);
  });

  test("two components may be in one room", async () => {
    const first = setup(() => useRoom("r"));
    const second = setup(() => useRoom("r"));
    await pass(1);
    first.unmount();
    await pass(1);
    expect(gateway.last.of("leave_room")).toEqual([]);
    gateway.last.push(message("r"));
    expect(second.result.messages.value).toHaveLength(1);
  });

  test("tells what was lost, and why it is not in", async () => {
    const log = gateway.history("r", 1);
    const { result } = setup(() => useRoom("r"));
    await pass(1);
    log.messages.splice(0, 1, message("r", 9));
    await reconnect();
    expect(result.lost.value?.now.offset).toBe(9);
    gateway.intercept = (socket, { id = "", type }) => {
      if (type !== "join_room") return false;
      socket.push({ type: "error", id, content: { code: 4003, message: "no" } });
      return true;
    };
    const refused = setup(() => useRoom("closed"));
    await pass(1);
    expect(refused.result.error.value?.message).toBe("no");
    expect(refused.result.joined.value).toBe(false);
  });

  test("stays in the room when another user logs in", async () => {
    const { result } = setup(() => useRoom("r"));
    await pass(1);
    void client.connect(token("bob"));
    await pass(10);
    expect(result.joined.value).toBe(true);
    expect(gateway.last.of("join_room")).toHaveLength(1);
  });
});

describe("usePresence", () => {
  const status = (user_id: string, status: string): Frame => ({
    type: "user_status",
    content: { user_id, status },
  });

  test("watches users, also after a reconnect", async () => {
    const { result, unmount } = setup(() => usePresence({ users: ["bob", "cai"] }));
    await pass(1);
    expect([...result.online.value]).toEqual(["bob"]);
    gateway.last.push(status("cai", "online"));
    gateway.last.push(status("bob", "offline"));
    gateway.last.push(status("dan", "online"));
    expect([...result.online.value]).toEqual(["cai"]);
    await reconnect();
    expect([...result.online.value]).toEqual(["bob"]);
    expect(result.isOnline("cai")).toBe(false);
    unmount();
    await pass(1);
    expect(gateway.last.of("unwatch")).toHaveLength(1);
  });

  test("knows who is in a room", async () => {
    let users = [{ user_id: "bob", user_name: "Bob", devices: 1 }];
    gateway.intercept = (socket, { id = "", type }) => {
      if (type !== "presence") return false;
      socket.push({ type, id, content: { room: "r", connections: 1, users } });
      return false;
    };
    const { result } = setup(() => usePresence({ room: "r" }));
    await pass(1);
    expect(result.members.value).toEqual(users);
    gateway.last.push({ ...status("bob", "offline"), room: "other" });
    expect(result.members.value, "that is another room").toEqual(users);
    gateway.last.push(status("bob", "offline"));
    expect(result.members.value).toEqual([]);
    users = [{ user_id: "cai", user_name: "Cai", devices: 2 }];
    for (let i = 0; i < 20; i++) gateway.last.push(status("cai", "online"));
    await pass(2001);
    expect(result.members.value).toEqual(users);
    expect(gateway.last.of("presence")).toHaveLength(2);
  });

  test("asks again for who has come to a room and is in no answer, a few times", async () => {
    let users: object[] = [];
    let fails = false;
    gateway.intercept = (socket, { id = "", type }) => {
      if (type !== "presence") return false;
      if (fails) socket.push({ type: "error", id, content: { code: 4103, message: "away" } });
      else socket.push({ type, id, content: { room: "r", connections: users.length, users } });
      return true;
    };
    const { result } = setup(() => usePresence({ room: "r" }));
    await pass(1);
    const asked = (): number => gateway.last.of("presence").length;
    expect(asked()).toBe(1);

    fails = true;
    gateway.last.push(status("bob", "online"));
    await pass(2001);
    fails = false; // and bob's node is late
    await pass(2001);
    expect([asked(), result.members.value]).toEqual([3, []]);
    users = [{ user_id: "bob", user_name: "Bob", devices: 1 }];
    await pass(2001);
    expect([asked(), result.isOnline("bob")]).toEqual([4, true]);
    await pass(20_000);
    expect(asked(), "all have come").toBe(4);

    gateway.last.push(status("cai", "online")); // and is gone before anybody asks
    await pass(20_000);
    expect(asked(), "nobody is asked for for ever").toBe(7);
    gateway.last.push(status("dan", "online"));
    gateway.last.push(status("dan", "offline"));
    await pass(20_000);
    expect(asked(), "who has gone is not asked for").toBe(8);
  });

  test("asks again who is in a room when its node is back, which does not tell who has left", async () => {
    let users = [{ user_id: "bob", user_name: "Bob", devices: 1 }];
    gateway.intercept = (socket, { id = "", type }) => {
      if (type !== "presence") return false;
      socket.push({ type, id, content: { room: "r", connections: 1, users } });
      return true;
    };
    const { result } = setup(() => usePresence({ room: "r" }));
    setup(() => usePresence({ users: ["cai"] }));
    await pass(1);
    users = [];
    gateway.last.push({ type: "system", content: { event: "degraded", message: "" } });
    await pass(5000);
    expect(gateway.last.of("presence")).toHaveLength(1);
    gateway.last.push({ type: "system", content: { event: "restored", message: "" } });
    await pass(2001);
    expect(result.members.value).toEqual([]);
    expect(gateway.last.of("presence")).toHaveLength(2);
  });
});

describe("useNotifications", () => {
  const note = (offset: number): Frame => ({
    type: "notification",
    offset,
    content: { title: `n${offset}` },
    data: { notification_id: `id${offset}`, read: false },
  });

  test("lists the newest first, counts the unread, and acknowledges what was read", async () => {
    client.disconnect();
    client = gateway.client({ autoAck: false });
    gateway.inbox = { epoch: "e", offset: 0 };
    const { result } = setup(() => useNotifications({ limit: 3 }));
    void client.connect();
    await pass(1);
    for (const n of [1, 2, 3, 4, 4]) gateway.last.push(note(n));
    expect(result.items.value.map(({ title }) => title)).toEqual(["n4", "n3", "n2"]);
    expect(result.unread.value).toBe(3);
    result.markRead("id3");
    await pass(300);
    expect(result.unread.value).toBe(2);
    expect(gateway.last.of("ack")).toEqual([]);
    result.markRead("id2");
    await pass(300);
    expect(gateway.last.of("ack")).toMatchObject([{ content: { offset: 3 } }]);
    result.markAllRead();
    await pass(300);
    expect(result.unread.value).toBe(0);
    expect(gateway.last.of("ack")).toHaveLength(2);
    result.clear();
    expect(result.items.value).toEqual([]);
  });
});

describe("the Pinia store", () => {
  test("is connected, messages, connect, send and disconnect", async () => {
    setActivePinia(createPinia());
    const useStore = createGatewayStore({
      url: "ws://gateway.test/ws",
      device: false,
      limit: 2,
      WebSocket: gateway.WebSocket,
    });
    const store = useStore();
    expect(store.connected).toBe(false);
    const sent = store.send({ type: "room_message", room: "r", content: "early" });
    expect(store.queued).toBe(1);
    await Promise.all([store.connect(token("ann")), pass(5)]);
    await sent;
    expect([store.connected, store.queued]).toEqual([true, 0]);
    for (const n of [1, 2, 3])
      gateway.last.push({ type: "system", content: { message: String(n), code: n } });
    expect(store.messages.map(({ content }) => content)).toMatchObject([{ code: 2 }, { code: 3 }]);
    store.clear();
    await reconnect();
    expect(store.connected).toBe(true);
    store.disconnect();
    expect([store.connected, store.messages]).toEqual([false, []]);
  });

  test("uses the application's client where there is one", () => {
    const app = createApp({}).use(createPinia()).use(createGateway(client));
    const store = app.runWithContext(() => useGatewayStore());
    expect(store.client).toBe(client);
    expect(store.connected).toBe(true);
  });

  test("knows what waits already", () => {
    gateway.last.drop();
    void client.sendToRoom("r", 1);
    const app = createApp({}).use(createPinia()).use(createGateway(client));
    expect(app.runWithContext(() => useGatewayStore()).queued).toBe(1);
  });
});
