import { beforeEach, expect, test, vi } from "vitest";
import { effectScope, nextTick, ref } from "vue";
import type { GatewayClient } from "@ginforge/gateway-client";
import { FakeGateway, message, pass } from "../../../packages/client/test/fake.js";
import { useRooms } from "../src/rooms.ts";
import { fakeStorage } from "./storage.ts";

let gateway: FakeGateway;
let client: GatewayClient;
const names = ref<string[]>([]);
const open = ref<string>();

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.1);
  fakeStorage();
  gateway = new FakeGateway();
  gateway.history("tea", 3);
  gateway.history("coffee", 0);
  client = gateway.client();
  names.value = ["tea", "coffee", "plain"];
  open.value = "tea";
});

async function enter(): Promise<ReturnType<typeof useRooms>> {
  const result = effectScope().run(() => useRooms(client, { user: "ann" }, names, open));
  if (!result) throw new Error("the scope has ended");
  await pass(10);
  return result;
}

const said = (page: ReturnType<typeof useRooms>, room: string): unknown[] | undefined =>
  page.rooms.value.get(room)?.lines.map(({ text }) => (JSON.parse(text) as { n: unknown }).n);
const unseen = (page: ReturnType<typeof useRooms>): (number | undefined)[] =>
  names.value.map((name) => page.rooms.value.get(name)?.unseen);

test("one is in all rooms of the list, and messages in those that are not open count", async () => {
  void client.connect();
  const page = await enter();
  expect(said(page, "tea")).toEqual([1, 2, 3]);
  expect(unseen(page), "what was said before counts for nothing").toEqual([0, 0, 0]);
  gateway.last.push(message("tea", 4));
  gateway.last.push(message("coffee", 1));
  gateway.last.push(message("coffee", 2, { from: "ann" }));
  gateway.last.push(message("plain"));
  expect(unseen(page)).toEqual([0, 1, 1]);
  open.value = "coffee";
  await nextTick();
  expect(unseen(page)).toEqual([0, 0, 1]);
  expect(said(page, "coffee")).toEqual([1, 2]);
  expect(page.current.value.history).toBe(false);
  gateway.last.push(message("coffee", 3));
  expect(page.current.value.history, "it was all said while one was here").toBe(false);
  open.value = "tea";
  await nextTick();
  expect(said(page, "tea"), "what was left is still there").toEqual([1, 2, 3, 4]);
  expect(page.current.value.history).toBe(true);
});

test("offline a room is open at once, and filled when the connection is there", async () => {
  const page = await enter();
  expect([...page.rooms.value.keys()]).toEqual(names.value);
  expect(page.current.value).toMatchObject({ lines: [], history: false });
  void client.connect();
  await pass(10);
  expect(said(page, "tea")).toEqual([1, 2, 3]);
  gateway.last.drop();
  open.value = "coffee";
  await nextTick();
  open.value = "tea";
  await nextTick();
  expect(said(page, "tea"), "offline too").toEqual([1, 2, 3]);
});

test("a room that is taken off the list is left", async () => {
  void client.connect();
  const page = await enter();
  const before = gateway.last.of("leave_room").length;
  names.value = ["tea"];
  await pass(1);
  expect(
    gateway.last
      .of("leave_room")
      .slice(before)
      .map(({ room }) => room),
  ).toEqual(["coffee", "plain"]);
  expect([...page.rooms.value.keys()]).toEqual(["tea"]);
  gateway.last.push(message("coffee", 1));
  expect(page.rooms.value.size).toBe(1);
});

test("lines are bounded, and what is lost or refused is said", async () => {
  void client.connect();
  const page = await enter();
  for (let n = 4; n <= 300; n++) gateway.last.push(message("tea", n));
  expect(page.current.value.lines).toHaveLength(200);
  gateway.history("tea", 1, "e2");
  gateway.last.drop();
  await pass(1000);
  expect(page.current.value.lost).toBe(true);
  gateway.intercept = (socket, { id = "", type }) => {
    if (type !== "join_room") return false;
    socket.push({ type: "error", id, content: { code: 4003, message: "not yours" } });
    return true;
  };
  names.value = [...names.value, "vip"];
  open.value = "vip";
  await pass(5);
  expect(page.current.value.error).toBe("not yours");
});
