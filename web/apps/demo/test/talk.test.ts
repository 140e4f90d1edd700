import { beforeEach, describe, expect, test, vi } from "vitest";
import { effectScope } from "vue";
import type { Frame, GatewayClient } from "@ginforge/gateway-client";
import { FakeGateway, pass } from "../../../packages/client/test/fake.js";
import { lineOf, textOf, useDirect, useSending } from "../src/talk.ts";

const me = { user: "ann", name: "Ann" };

describe("a line", () => {
  test.each([
    ["hello", "hello"],
    [{ text: "hello" }, "hello"],
    [{ text: 7 }, `{"text":7}`],
    [undefined, "null"],
  ])("shows the text of %j", (content, text) => {
    expect(textOf(content)).toBe(text);
  });

  test("is one's own when one has sent it, on whatever device", () => {
    const frame: Frame = { type: "room_message", id: "m1", room: "r", from: "ann", content: "x" };
    expect(lineOf(frame, "ann")).toMatchObject({ key: "m1", mine: true, name: "ann" });
    expect(lineOf({ ...frame, from_name: "Ann" }, "bob")).toMatchObject({ mine: false, name: "Ann" });
  });

  test("without an id is told from others by its place in the room", () => {
    expect(lineOf({ type: "room_message", room: "r", offset: 4 }, "ann").key).toBe("r 4");
  });
});

describe("what one sends", () => {
  test("is shown at once, and goes when the message comes back", async () => {
    const { lines, send, arrived } = useSending(me);
    const ids: string[] = [];
    send("hello", (id) => Promise.resolve(ids.push(id)));
    await Promise.resolve();
    expect(lines.value).toMatchObject([{ text: "hello", mine: true, sending: "waiting" }]);
    arrived(ids[0] ?? "");
    expect(lines.value).toEqual([]);
  });

  test("stays with the reason when it is refused, beside what is not", async () => {
    const { lines, send } = useSending(me);
    send("too long", () => Promise.reject(new Error("the content is too large")));
    send("fine", () => new Promise(() => undefined));
    await Promise.resolve();
    await Promise.resolve();
    expect(lines.value.map(({ text, sending, reason }) => [text, sending, reason])).toEqual([
      ["too long", "refused", "the content is too large"],
      ["fine", "waiting", undefined],
    ]);
  });
});

describe("direct messages", () => {
  let gateway: FakeGateway;
  let client: GatewayClient;
  let open: string | undefined;

  beforeEach(async () => {
    vi.useFakeTimers();
    open = undefined;
    gateway = new FakeGateway();
    client = gateway.client();
    void client.connect();
    await pass(1);
  });

  const direct = (): ReturnType<typeof useDirect> => {
    const result = effectScope().run(() => useDirect(client, me, () => open));
    if (!result) throw new Error("the scope has ended");
    return result;
  };
  const comes = (id: string, from: string, content: unknown): void =>
    gateway.last.push({ type: "user_message", id, from, from_name: from.toUpperCase(), content });

  test("are kept by the other side, each once", () => {
    const { peers, lines } = direct();
    comes("1", "bob", { text: "hi", line: "l1" });
    comes("2", "cid", { text: "ho", line: "l2" });
    comes("3", "bob", { text: "hi", line: "l1" });
    expect(lines.value.get("bob")).toMatchObject([{ key: "l1", text: "hi", name: "BOB", mine: false }]);
    expect(lines.value.get("cid")).toHaveLength(1);
    expect(peers.value.map(({ user }) => user)).toEqual(["cid", "bob"]);
  });

  test("count as unseen until their conversation is open", () => {
    const { peers, seen } = direct();
    const unseen = (): number | undefined => peers.value.find(({ user }) => user === "bob")?.unseen;
    comes("1", "bob", { text: "1" });
    comes("2", "bob", { text: "2" });
    expect(unseen()).toBe(2);
    seen("bob");
    expect(unseen()).toBe(0);
    open = "bob";
    comes("3", "bob", { text: "3" });
    expect(unseen()).toBe(0);
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
    comes("x", "ann", { text: "hello", line: "l9", peer: "bob" });
    expect(lines.value.get("bob")).toMatchObject([{ key: "l9", mine: true }]);
  });

  test("are bounded", () => {
    const { lines, peers } = direct();
    for (let i = 0; i < 250; i++) comes(`${i}`, "bob", { text: `${i}` });
    expect(lines.value.get("bob")?.map(({ text }) => text)).toEqual(
      Array.from({ length: 200 }, (_, i) => `${i + 50}`),
    );
    for (let i = 0; i < 40; i++) comes(`p${i}`, `u${i}`, { text: "hi" });
    expect(peers.value).toHaveLength(30);
  });
});
