import { describe, expect, test } from "vitest";
import type { Frame } from "@ginforge/gateway-client";
import { lineOf, textOf, useSending, type Line } from "../src/talk.ts";

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
  test("is shown in its place at once, and goes when the message comes back", async () => {
    const { of, send, arrived } = useSending(me);
    const ids: string[] = [];
    send("chat:tea", "hello", (id) => Promise.resolve(ids.push(id)));
    await Promise.resolve();
    expect(of("chat:tea")).toMatchObject([{ text: "hello", mine: true, sending: "waiting" }]);
    expect(of("@bob")).toEqual([]);
    arrived([{ key: ids[0], mine: true } as Line]);
    expect(of("chat:tea")).toEqual([]);
  });

  test("stays with the reason when it is refused, beside what is not", async () => {
    const { of, send } = useSending(me);
    send("r", "too long", () => Promise.reject(new Error("the content is too large")));
    send("r", "fine", () => new Promise(() => undefined));
    await Promise.resolve();
    await Promise.resolve();
    expect(of("r").map(({ text, sending, reason }) => [text, sending, reason])).toEqual([
      ["too long", "refused", "the content is too large"],
      ["fine", "waiting", undefined],
    ]);
  });
});
