import { beforeEach, describe, expect, test, vi } from "vitest";
import type { GatewayClient } from "@ginforge/gateway-client";
import { FakeGateway, collect, pass } from "../../../packages/client/test/fake.js";
import { before, endOf } from "../src/history.ts";

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
    const end = await endOf(client, "chat:tea");
    expect(end).toEqual({ epoch: "e1", offset: 80 });
    const heard = collect(client, "room_message");
    await client.joinRoom("chat:tea", end && before(end));
    expect(heard.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, i) => i + 31));
  });

  test("gets all of a room that has fewer", () => {
    expect(before({ epoch: "e1", offset: 3 })).toEqual({ epoch: "e1", offset: 0 });
  });

  test("begins now in a room that keeps nothing", async () => {
    await expect(endOf(client, "game:1")).resolves.toBeUndefined();
  });

  test("learns from the room itself when it is closed to them", async () => {
    gateway.intercept = (socket, { type, id }) => {
      if (type !== "join_room") return false;
      socket.push({ type: "error", ...(id && { id }), content: { code: 403, message: "not yours" } });
      return true;
    };
    await expect(endOf(client, "vip:1")).resolves.toBeUndefined();
  });
});
