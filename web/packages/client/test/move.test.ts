import { beforeEach, expect, test, vi } from "vitest";
import { FakeGateway, collect, message, pass } from "./fake.js";
import type { FakeSocket } from "./fake.js";
import type { Frame, GatewayClient, StateChange } from "@ginforge/gateway-client";

let gateway: FakeGateway;
let client: GatewayClient;
let got: Frame[];
let states: StateChange[];
let old: FakeSocket;

const room = "chat:lobby";
const reconnect = { type: "reconnect", content: { reason: "draining" }, data: { delay_ms: 500 } };

/** Make before break: the server asks with `reconnect` for a new connection. */
beforeEach(async () => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  gateway = new FakeGateway();
  client = gateway.client();
  got = collect(client, "room_message");
  gateway.history(room);
  void client.connect();
  await pass(1);
  await client.joinRoom(room);
  await client.joinRoom("plain");
  states = collect<StateChange>(client, "gateway:state");
  old = gateway.last;
});

function publish(offset: number, ...to: FakeSocket[]): void {
  gateway.logs.get(room)?.messages.push(message(room, offset));
  for (const socket of to) socket.push(message(room, offset));
}

test("a new connection is opened, and then the old one is closed", async () => {
  old.push(reconnect);
  await pass(499);
  expect(gateway.sockets).toHaveLength(1);
  await pass(2);
  expect(gateway.sockets).toHaveLength(2);
  expect(old.closed).toBe(false);
  await pass(2000);
  expect(old.closed).toBe(true);
  expect(gateway.last.closed).toBe(false);
  expect(states).toEqual([]);
});

test("nothing is missed or doubled, whichever connection brings it first", async () => {
  publish(1, old);
  old.push(reconnect);
  await pass(500);
  publish(2, old);
  await pass(1); // the new one is there, and has 2 replayed
  const { last } = gateway;
  publish(3, last, old);
  publish(4, old, last);
  publish(5, last);
  await pass(5000);
  publish(6, last);
  expect(got.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("the same holds where there is no history, also for messages that are alike", async () => {
  old.push(reconnect);
  await pass(501);
  const { last } = gateway;
  const hi = (timestamp: number): Frame => message("plain", undefined, { content: "hi", timestamp });
  old.push(hi(1));
  last.push(hi(2)); // the other node has filled in its own time
  last.push(hi(2));
  old.push(hi(2));
  old.push(hi(3));
  last.push(hi(3));
  await pass(3000);
  last.push(hi(4));
  expect(got).toHaveLength(4);
});

test("what was asked over the old connection is still answered", async () => {
  let answer: (() => void) | undefined;
  gateway.intercept = (socket, frame) => {
    if (socket !== old || frame.type !== "room_message") return false;
    answer = () => socket.push({ type: "ack", id: frame.id ?? "" });
    return true;
  };
  const sent = client.sendToRoom(room, 1);
  old.push(reconnect);
  await pass(600);
  answer?.();
  await sent;
  await pass(3000);
  expect(gateway.last.of("room_message")).toEqual([]);
});

test("what the old connection has not answered is sent over the new one, with the same id", async () => {
  gateway.intercept = (socket, { type }) => socket === old && type === "room_message";
  const sent = client.sendToRoom(room, 1);
  old.push(reconnect);
  await pass(3000);
  await sent;
  expect(gateway.last.of("room_message")).toEqual(old.of("room_message"));
});

test("the old connection stays in use when the new one is refused", async () => {
  gateway.accept = (socket) => socket.drop(4100, { reason: "over capacity", delay_ms: 3000 });
  old.push(reconnect);
  await pass(1000);
  expect(client.connected).toBe(true);
  publish(1, old);
  await client.sendToRoom(room, "still here");
  gateway.accept = (socket) => gateway.welcome(socket);
  await pass(6000);
  expect(old.closed).toBe(true);
  expect(got).toHaveLength(1);
  expect(states).toEqual([]);
});

test("being replaced by the new connection (4008) is no reason to stop", async () => {
  gateway.accept = (socket) => {
    old.drop(4008, { reason: "replaced" });
    gateway.welcome(socket);
  };
  old.push(reconnect);
  await pass(2000);
  expect(states.map(({ state }) => state)).toEqual(["connecting", "connected"]);
  publish(1, gateway.last);
  expect(got).toHaveLength(1);
});

test("a server that ends the old connection early is an ordinary reconnect", async () => {
  old.push(reconnect);
  old.drop(4200, { reason: "draining", delay_ms: 100 });
  await pass(5000);
  expect(gateway.sockets).toHaveLength(2);
  expect(client.connected).toBe(true);
});
