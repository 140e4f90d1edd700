import { beforeEach, describe, expect, test, vi } from "vitest";
import { FakeGateway, collect, pass, token } from "./fake.js";
import type { Frame, GatewayClient } from "@ginforge/gateway-client";

let gateway: FakeGateway;
let client: GatewayClient;
/** What the gateway has acknowledged, in order. */
let taken: unknown[];

beforeEach(async () => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  vi.spyOn(Math, "random").mockReturnValue(0.1);
  gateway = new FakeGateway();
  taken = [];
  gateway.intercept = (_, { type, content }) => {
    if (type === "room_message") taken.push(content);
    return false;
  };
  client = gateway.client();
  void client.connect();
  await pass(1);
});

const refuse =
  (code: number, times: number) =>
  (socket: { push(frame: Frame): void }, { id, type, content }: Frame): boolean => {
    if (type !== "room_message") return false;
    if (times-- > 0) {
      socket.push({ type: "error", id: id ?? "", content: { code, message: "refused" } });
      return true;
    }
    taken.push(content);
    return false;
  };

test("a message is sent at once, and resolves with its ack", async () => {
  const ack = await client.sendToRoom("r", { text: "hi" }, { data: { k: 1 } });
  const [frame] = gateway.last.of("room_message");
  expect(frame).toMatchObject({ room: "r", content: { text: "hi" }, data: { k: 1 } });
  expect(ack).toEqual({ type: "ack", id: frame?.id });
});

test("messages to users carry their id too", async () => {
  await client.sendToUser("bob", "hi", { id: "my-own" });
  expect(gateway.last.of("user_message")).toEqual([
    { type: "user_message", to: "bob", content: "hi", id: "my-own" },
  ]);
});

describe("without a connection", () => {
  beforeEach(() => gateway.last.drop());

  test("messages wait, and leave in order with the next one", async () => {
    const acks = [1, 2, 3].map((n) => client.sendToRoom("r", n));
    expect(client.queued).toBe(3);
    await pass(1000);
    await Promise.all(acks);
    expect(taken).toEqual([1, 2, 3]);
    expect(client.queued).toBe(0);
  });

  test("rooms are joined again before anything is sent to them", async () => {
    client.disconnect();
    void client.joinRoom("r");
    void client.sendToRoom("r", 1);
    void client.connect();
    await pass(10);
    expect(gateway.last.received.map(({ type }) => type)).toEqual(["join_room", "room_message"]);
  });

  test("what is worthless later is refused", async () => {
    await expect(client.send({ type: "typing" }, { queue: false })).rejects.toMatchObject({
      code: "disconnected",
    });
  });

  test("another user does not send what the last one has left", async () => {
    const left = client.sendToRoom("r", "ann's");
    void client.connect(token("bob"));
    await pass(1000);
    await expect(left).rejects.toMatchObject({ code: "disconnected" });
    expect(taken).toEqual([]);
  });

  test("what is sent and joined behind connect belongs to the next user", async () => {
    void client.connect(token("bob"));
    const sent = client.sendToRoom("r", "bob's");
    const joined = client.joinRoom("r");
    await pass(1000);
    await Promise.all([sent, joined]);
    expect(taken).toEqual(["bob's"]);
  });
});

describe("the queue", () => {
  test("is bounded in messages, and says how many wait", async () => {
    client = gateway.client({ queue: { count: 3 } });
    const sizes = collect<{ count: number }>(client, "gateway:queue");
    const sent = [1, 2, 3, 4].map((n) => client.sendToRoom("r", n));
    await expect(sent[3]).rejects.toMatchObject({ code: "queue_full" });
    expect(sizes.map(({ count }) => count)).toEqual([1, 2, 3]);
    void client.connect();
    await pass(10);
    expect(taken).toEqual([1, 2, 3]);
    expect(sizes.at(-1)).toEqual({ count: 0, bytes: 0 });
  });

  test("is bounded in bytes of UTF-8", async () => {
    client = gateway.client({ queue: { bytes: 1000 } });
    void client.sendToRoom("r", "é".repeat(300));
    await expect(client.sendToRoom("r", "é".repeat(300))).rejects.toMatchObject({ code: "queue_full" });
    void client.sendToRoom("r", "e".repeat(100));
    void client.connect();
    await pass(10);
    expect(taken).toHaveLength(2);
  });

  test("takes more when there is room again", async () => {
    client = gateway.client({ queue: { count: 1 } });
    void client.connect();
    await pass(1);
    for (let n = 0; n < 5; n++) await client.sendToRoom("r", n);
    expect(taken).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a message that was not acknowledged", () => {
  test("is sent again with the same id when the connection has ended", async () => {
    let cut = true;
    gateway.intercept = (socket, { type }) => {
      if (type !== "room_message" || !cut) return false;
      cut = false;
      socket.drop();
      return true;
    };
    const sent = client.sendToRoom("r", 1);
    const first = gateway.last;
    await pass(1000);
    await sent;
    expect(gateway.last.of("room_message")).toEqual(first.of("room_message"));
  });

  test("keeps those behind it waiting, so that order is kept", async () => {
    gateway.intercept = refuse(4101, 2);
    const acks = [1, 2, 3].map((n) => client.sendToRoom("r", n));
    await pass(5000);
    await Promise.all(acks);
    expect(taken).toEqual([1, 2, 3]);
  });

  test("is given up after three times without an answer", async () => {
    gateway.intercept = (_, { type }) => type === "room_message";
    const unsent = collect<{ frame: Frame }>(client, "gateway:unsent");
    const sent = client.sendToRoom("r", 1);
    await pass(30_001);
    await expect(sent).rejects.toMatchObject({ code: "timeout" });
    expect(gateway.last.of("room_message")).toHaveLength(3);
    expect(new Set(gateway.last.of("room_message").map(({ id }) => id)).size).toBe(1);
    expect(unsent).toMatchObject([{ frame: { content: 1 } }]);
  });

  test("is given up when the gateway refuses it, and the next one goes out", async () => {
    gateway.intercept = refuse(4003, 1);
    const first = client.sendToRoom("r", 1);
    const second = client.sendToRoom("r", 2);
    await expect(first).rejects.toMatchObject({ code: 4003 });
    await second;
    expect(taken).toEqual([2]);
  });

  test("is given up when it is what the connection was closed for", async () => {
    gateway.intercept = (socket, { type, content }) => {
      if (type !== "room_message" || content !== "too big") return false;
      socket.drop(1009, "message too big");
      return true;
    };
    const first = client.sendToRoom("r", "too big");
    const second = client.sendToRoom("r", 2);
    await pass(1000);
    await expect(first).rejects.toMatchObject({ code: "disconnected", closed: 1009 });
    await second;
    expect(gateway.sockets).toHaveLength(2);
  });

  test("is not given up for what another connection was closed for", async () => {
    const old = gateway.last;
    old.push({ type: "reconnect", data: { delay_ms: 0 } });
    await pass(5);
    expect(gateway.sockets).toHaveLength(2);
    let answered = false;
    gateway.intercept = (_, { type }) => type === "room_message" && !answered;
    const sent = client.sendToRoom("r", 1);
    const { last } = gateway;
    expect(last.of("room_message")).toHaveLength(1);
    old.drop(1009, "message too big");
    last.drop();
    answered = true;
    await pass(1000);
    await expect(sent).resolves.toMatchObject({ type: "ack" });
    expect(gateway.last.of("room_message")).toEqual(last.of("room_message"));
  });
});
