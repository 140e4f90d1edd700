import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Frame, GatewayClient } from "@ginforge/gateway-client";
import { FakeGateway, collect, pass } from "../../../packages/client/test/fake.js";
import { before, enter } from "../src/history.ts";

let gateway: FakeGateway;
let client: GatewayClient;

beforeEach(async () => {
  vi.useFakeTimers();
  gateway = new FakeGateway();
  client = gateway.client();
  void client.connect();
  await pass(1);
});

describe("who enters a room", () => {
  test("gets its fifty latest messages", async () => {
    gateway.history("chat:tea", 80);
    const heard = collect(client, "room_message");
    const at = vi.fn(() => true);
    await enter(client, "chat:tea", at);
    expect(at.mock.calls).toEqual([[{ epoch: "e1", offset: 80 }]]);
    expect(heard.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, i) => i + 31));
  });

  test("gets all of a room that has fewer", () => {
    expect(before({ epoch: "e1", offset: 3 })).toEqual({ epoch: "e1", offset: 0 });
  });

  test("begins now in a room that keeps nothing", async () => {
    const at = vi.fn(() => true);
    await enter(client, "game:1", at);
    expect(at).not.toHaveBeenCalled();
    expect(gateway.last.of("join_room")).toHaveLength(1);
    expect(gateway.last.of("leave_room")).toEqual([]);
  });

  test("is in it for all that is written, however slow the gateway is", async () => {
    gateway.history("chat:tea", 3);
    const late = new Set<Frame>();
    gateway.intercept = (socket, frame) => {
      if (late.delete(frame)) return false;
      late.add(frame);
      setTimeout(() => gateway.answer(socket, frame), 50);
      return true;
    };
    const entered = enter(client, "chat:tea", () => true);
    for (let n = 0; n < 10; n++) {
      client.sendToRoom("chat:tea", { n }).catch(() => undefined);
      await pass(30);
    }
    await entered;
    await pass(1000);
    let member = false;
    const sent: boolean[] = [];
    for (const { type } of gateway.last.received) {
      if (type === "join_room") member = true;
      if (type === "leave_room") member = false;
      if (type === "room_message") sent.push(member);
    }
    expect(sent).toEqual(Array.from({ length: 10 }, () => true));
  });

  test("goes no further where it is not wanted any more", async () => {
    gateway.history("chat:tea", 3);
    await enter(client, "chat:tea", () => false);
    expect(gateway.last.of("join_room")).toHaveLength(1);
  });

  test("learns why a room is closed to them", async () => {
    gateway.intercept = (socket, { type, id }) => {
      if (type !== "join_room") return false;
      socket.push({ type: "error", ...(id && { id }), content: { code: 403, message: "not yours" } });
      return true;
    };
    await expect(enter(client, "vip:1", () => true)).rejects.toThrow("not yours");
  });
});
