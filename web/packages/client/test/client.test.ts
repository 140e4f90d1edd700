import { beforeEach, describe, expect, test, vi } from "vitest";
import { Refresh } from "../src/refresh.js";
import { FakeGateway, collect, pass, token } from "./fake.js";
import type { Frame, GatewayClient, Lost } from "@ginforge/gateway-client";

let gateway: FakeGateway;
let client: GatewayClient;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  vi.spyOn(Math, "random").mockReturnValue(0.1);
  gateway = new FakeGateway();
  client = gateway.client();
  void client.connect();
  await pass(1);
});

describe("events", () => {
  test("come by type, and all of them under *", () => {
    const toasts = collect(client, "data_update");
    const all = collect(client, "*");
    const own = collect(client, "order_shipped");
    gateway.last.push({ type: "data_update", content: { entity: "user", action: "create", id: "1" } });
    gateway.last.push({ type: "order_shipped", content: 7 });
    expect(toasts).toHaveLength(1);
    expect(own).toMatchObject([{ content: 7 }]);
    expect(all.map(({ type }) => type)).toEqual(["data_update", "order_shipped"]);
  });

  test("cannot be faked by a backend's type", () => {
    const states = collect(client, "gateway:state");
    gateway.last.push({ type: "gateway:state", content: "closed" });
    expect(states).toEqual([]);
  });

  test("end when the listener is taken off", () => {
    const seen: Frame[] = [];
    const off = client.on("system", (frame) => seen.push(frame));
    gateway.last.push({ type: "system" });
    off();
    gateway.last.push({ type: "system" });
    expect(seen).toHaveLength(1);
  });

  test("a listener that throws is reported, and harms nobody else", async () => {
    const reported: unknown[] = [];
    vi.stubGlobal("queueMicrotask", (task: () => void) => {
      try {
        task();
      } catch (error) {
        reported.push(error);
      }
    });
    client.on("system", () => {
      throw new Error("mine");
    });
    const seen = collect(client, "system");
    gateway.last.push({ type: "system" });
    await pass(1);
    expect(seen).toHaveLength(1);
    expect(reported).toEqual([new Error("mine")]);
  });
});

describe("requests", () => {
  test("run out of time", async () => {
    gateway.intercept = () => true;
    const asked = client.presence({ users: ["bob"] });
    asked.catch(() => undefined);
    await pass(10_001);
    await expect(asked).rejects.toMatchObject({ code: "timeout" });
  });

  test("are refused", async () => {
    gateway.intercept = (socket, { id = "" }) => {
      socket.push({ type: "error", id, content: { code: 4003, message: "presence is off for this room" } });
      return true;
    };
    await expect(client.presence({ room: "r" })).rejects.toMatchObject({ code: 4003 });
  });

  test("are answered by the frame that they ask for", async () => {
    gateway.intercept = (socket, { id = "", type }) => {
      if (type !== "presence") return false;
      socket.push({ type: "presence", id, content: { room: "r", connections: 1, users: [] } });
      return false;
    };
    expect(await client.presence({ room: "r" })).toEqual({ room: "r", connections: 1, users: [] });
  });

  test("are asked again when the connection ends before the answer", async () => {
    gateway.intercept = (socket) => {
      socket.drop();
      return true;
    };
    const asked = client.request({ type: "presence", content: { room: "r" } });
    gateway.intercept = () => false;
    await pass(2000);
    await expect(asked).resolves.toMatchObject({ type: "ack" });
  });
});

test("watched users are watched again after a reconnect, and who is online is told", async () => {
  const online = collect<{ users: string[]; online: string[] }>(client, "gateway:online");
  expect(await client.watch(["bob", "cai"])).toEqual(["bob"]);
  await client.unwatch(["bob"]);
  gateway.last.drop();
  await pass(1000);
  expect(online).toEqual([
    { users: ["bob", "cai"], online: ["bob"] },
    { users: ["cai"], online: ["cai"] },
  ]);
});

describe("the inbox", () => {
  const note = (offset: number): Frame => ({
    type: "notification",
    offset,
    content: { title: `n${offset}` },
  });
  let notes: Frame[];

  beforeEach(async () => {
    client.disconnect();
    gateway.inbox = { epoch: "i1", offset: 3 };
    notes = collect(client, "notification");
    void client.connect();
    await pass(1);
  });

  test("is acknowledged when listeners have had it, many at a time", async () => {
    for (const n of [2, 3, 4]) gateway.last.push(note(n));
    expect(notes.map(({ offset }) => offset)).toEqual([2, 3, 4]);
    await pass(200);
    expect(gateway.last.of("ack")).toEqual([{ type: "ack", content: { offset: 4 } }]);
  });

  test("comes once, although the gateway repeats what was not acknowledged", async () => {
    for (const n of [2, 3]) gateway.last.push(note(n));
    gateway.last.drop();
    await pass(1000);
    for (const n of [2, 3, 4]) gateway.last.push(note(n));
    expect(notes.map(({ offset }) => offset)).toEqual([2, 3, 4]);
  });

  test("is acknowledged over the next connection when the one before has ended with that", async () => {
    gateway.last.push(note(4));
    gateway.last.drop();
    await pass(1000);
    gateway.last.push(note(4)); // the gateway does not know
    await pass(200);
    expect(gateway.last.of("ack")).toEqual([{ type: "ack", content: { offset: 4 } }]);
    gateway.inbox = { epoch: "i2", offset: 0 };
    gateway.last.drop();
    await pass(1000);
    expect(gateway.last.of("ack")).toEqual([]); // that was in another life
  });

  test("tells when messages are gone, and when it has begun anew", async () => {
    const lost = collect<Lost>(client, "gateway:lost");
    gateway.last.push(note(3));
    gateway.last.push(note(7));
    gateway.inbox = { epoch: "i2", offset: 0 };
    gateway.last.drop();
    await pass(1000);
    gateway.last.push(note(1));
    expect(lost).toMatchObject([
      { room: undefined, since: { offset: 3 }, now: { offset: 6 } },
      { room: undefined, since: { epoch: "i1", offset: 7 }, now: { epoch: "i2" } },
    ]);
    expect(notes.map(({ offset }) => offset)).toEqual([3, 7, 1]);
  });

  test("is left to the application where that is wanted", async () => {
    client = gateway.client({ autoAck: false });
    void client.connect();
    await pass(1);
    gateway.last.push(note(1));
    await pass(1000);
    expect(gateway.last.of("ack")).toEqual([]);
    client.ack(1);
    await pass(200);
    expect(gateway.last.of("ack")).toEqual([{ type: "ack", content: { offset: 1 } }]);
  });
});

describe("the token", () => {
  test("is replaced in place before it expires, again and again", async () => {
    const getToken = vi.fn(() => token("ann", 600));
    client = gateway.client({ token: token("ann", 600), getToken });
    void client.connect();
    await pass(530_000);
    expect(getToken).not.toHaveBeenCalled();
    await pass(11_000);
    expect(getToken.mock.calls).toEqual([["refresh"]]);
    expect(gateway.last.of("refresh")).toHaveLength(1);
    await pass(600_000);
    expect(gateway.last.of("refresh")).toHaveLength(2);
    expect(gateway.sockets).toHaveLength(2);
    expect(client.connected).toBe(true);
  });

  test("goes by the server's clock", async () => {
    const getToken = vi.fn(() => token("ann", 600));
    gateway.accept = (socket) =>
      gateway.welcome(socket, { server_time: new Date(Date.now() + 300_000).toISOString() });
    client = gateway.client({ token: token("ann", 600), getToken });
    void client.connect();
    await pass(245_000);
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  test("is asked for again when that has failed", async () => {
    const getToken = vi.fn(() => Promise.reject<string>(new Error("offline")));
    client = gateway.client({ token: token("ann", 600), getToken });
    void client.connect();
    await pass(560_000);
    expect(getToken.mock.calls.length).toBeGreaterThan(2);
    getToken.mockResolvedValue(token("ann", 600));
    await pass(10_000);
    expect(gateway.last.of("refresh")).toHaveLength(1);
  });

  test("may live longer than a timer can wait", async () => {
    client.disconnect();
    const renew = vi.fn(() => Promise.resolve());
    const days = 60;
    const expires = Date.now() + days * 86_400_000;
    const claims = { user: "ann", expires, lifetime: days * 86_400_000 };
    new Refresh({ claims: () => claims, skew: () => 0, renew }).start();
    await pass((days - 1) * 86_400_000);
    expect(renew).not.toHaveBeenCalled();
    await pass(86_400_000);
    expect(renew).toHaveBeenCalled();
  });

  test("can be given by hand", async () => {
    await client.connect(token("ann", 60));
    expect(gateway.last.of("refresh")).toMatchObject([{ content: { token: token("ann", 60) } }]);
    expect(gateway.sockets).toHaveLength(1);
  });
});
