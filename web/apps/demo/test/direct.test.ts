import "fake-indexeddb/auto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { effectScope } from "vue";
import type { GatewayClient } from "@ginforge/gateway-client";
import { FakeGateway, pass } from "../../../packages/client/test/fake.js";
import { useDirect } from "../src/direct.ts";
import { keptOf, type Kept } from "../src/kept.ts";
import type { Line } from "../src/talk.ts";
import { fakeStorage } from "./storage.ts";

const me = { user: "ann", name: "Ann" };

let gateway: FakeGateway;
let client: GatewayClient;
let open: string | undefined;
/** What the browser keeps. */
let rows: Map<string, readonly Line[]>;

const kept: Kept = {
  all: () => Promise.resolve(new Map(rows)),
  put: (peer, lines) => void rows.set(peer, lines),
};

beforeEach(async () => {
  vi.useFakeTimers();
  fakeStorage();
  rows = new Map();
  open = undefined;
  gateway = new FakeGateway();
  gateway.inbox = { epoch: "i1", offset: 0 };
  await visit();
});

/** A new page: what is not kept is forgotten. */
async function visit(): Promise<void> {
  client = gateway.client({ autoAck: false });
  void client.connect();
  await pass(1);
}

function direct(): ReturnType<typeof useDirect> {
  const result = effectScope().run(() => useDirect(client, me, () => open, kept));
  if (!result) throw new Error("the scope has ended");
  return result;
}

const comes = (offset: number, from: string, content: unknown): void =>
  gateway.last.push({ type: "user_message", offset, from, from_name: from.toUpperCase(), content });

const unseen = ({ peers }: ReturnType<typeof useDirect>, of = "bob"): number | undefined =>
  peers.value.find(({ user }) => user === of)?.unseen;

describe("direct messages", () => {
  test("are kept by the other side, each once", () => {
    const { peers, lines } = direct();
    comes(1, "bob", { text: "hi", line: "l1" });
    comes(2, "cid", { text: "ho", line: "l2" });
    comes(3, "bob", { text: "hi", line: "l1" });
    expect(lines.value.get("bob")).toMatchObject([{ key: "l1", text: "hi", name: "BOB", mine: false }]);
    expect(lines.value.get("cid")).toHaveLength(1);
    expect(peers.value.map(({ user }) => user)).toEqual(["cid", "bob"]);
  });

  test("count as unseen until their conversation is open", () => {
    const page = direct();
    comes(1, "bob", { text: "1" });
    comes(2, "bob", { text: "2" });
    expect(unseen(page)).toBe(2);
    page.seen("bob");
    expect(unseen(page)).toBe(0);
    open = "bob";
    comes(3, "bob", { text: "3" });
    expect(unseen(page)).toBe(0);
  });

  test("are there after a reload, whether the gateway repeats them or not, and are not counted again", async () => {
    direct();
    comes(1, "bob", { text: "1", line: "l1" });
    comes(2, "bob", { text: "2", line: "l2" });
    await pass(1);
    await visit();
    const page = direct();
    comes(2, "bob", { text: "2", line: "l2" }); // the first was acknowledged
    comes(3, "bob", { text: "3", line: "l3" });
    await pass(1);
    expect(page.lines.value.get("bob")?.map(({ text }) => text)).toEqual(["1", "2", "3"]);
    expect(rows.get("bob")).toHaveLength(3);
    expect(unseen(page), "only the third is new").toBe(1);
  });

  test("are counted by one of a browser's tabs", async () => {
    const first = direct();
    const socket = gateway.last;
    await visit();
    const second = direct();
    const message = { type: "user_message", offset: 1, from: "bob", content: { text: "1", line: "l1" } };
    socket.push(message);
    gateway.last.push(message);
    expect((unseen(first) ?? 0) + (unseen(second) ?? 0)).toBe(1);
  });

  test("of an inbox that has begun anew count again", async () => {
    const page = direct();
    comes(5, "bob", { text: "1" });
    gateway.inbox = { epoch: "i2", offset: 0 };
    gateway.last.drop();
    await pass(6000);
    comes(1, "bob", { text: "2" });
    expect(unseen(page)).toBe(2);
  });

  test("from a backend are nobody's conversation", () => {
    const { peers, lines } = direct();
    gateway.last.push({ type: "user_message", id: "1", content: { text: "your parcel" } });
    expect([peers.value, lines.value.size]).toEqual([[], 0]);
  });

  test("go to the other side and to one's own devices", async () => {
    const { send, lines } = direct();
    await send("bob", "hello", "l9");
    expect(gateway.last.of("user_message")).toMatchObject([
      { id: "l9", to: "bob", content: { text: "hello", line: "l9" } },
      { id: "l9-own", to: "ann", content: { text: "hello", line: "l9", peer: "bob" } },
    ]);
    comes(1, "ann", { text: "hello", line: "l9", peer: "bob" });
    expect(lines.value.get("bob")).toMatchObject([{ key: "l9", mine: true }]);
  });

  test("are bounded", async () => {
    const { lines, peers } = direct();
    for (let i = 1; i <= 250; i++) comes(i, "bob", { text: `${i}` });
    await pass(1);
    for (const all of [lines.value, rows]) {
      expect(all.get("bob")?.map(({ text }) => text)).toEqual(
        Array.from({ length: 200 }, (_, i) => `${i + 51}`),
      );
    }
    for (let i = 0; i < 40; i++) comes(300 + i, `u${i}`, { text: "hi" });
    expect(peers.value).toHaveLength(30);
  });
});

test("the browser keeps the lines of each user apart", async () => {
  vi.useRealTimers();
  const line = (text: string): Line => ({ key: text, from: "bob", name: "Bob", text, time: 1, mine: false });
  keptOf("ann").put("bob", [line("to ann")]);
  keptOf("cid").put("bob", [line("to cid")]);
  await vi.waitFor(async () => {
    expect(await keptOf("ann").all()).toEqual(new Map([["bob", [line("to ann")]]]));
    expect(await keptOf("cid").all()).toEqual(new Map([["bob", [line("to cid")]]]));
  }, 10_000);
});

test("where nothing can be kept there is nothing", async () => {
  vi.useRealTimers();
  vi.stubGlobal("indexedDB", {
    open: () => ({
      set onerror(failed: () => void) {
        queueMicrotask(failed);
      },
    }),
  });
  const none = keptOf("ann");
  none.put("bob", []);
  expect(await none.all()).toEqual(new Map());
});
