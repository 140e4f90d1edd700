import { beforeEach, describe, expect, test, vi } from "vitest";
import { FakeGateway, collect, message, pass, token } from "./fake.js";
import type { Frame, GatewayClient, Lost } from "@ginforge/gateway-client";

let gateway: FakeGateway;
let client: GatewayClient;
let got: Frame[];
let lost: Lost[];

const offsets = (): (number | undefined)[] => got.map(({ offset }) => offset);
const room = "chat:lobby";

beforeEach(async () => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  vi.spyOn(Math, "random").mockReturnValue(0.1);
  gateway = new FakeGateway();
  client = gateway.client();
  got = collect(client, "room_message");
  lost = collect<Lost>(client, "gateway:lost");
  void client.connect();
  await pass(1);
});

/** The gateway keeps a message, and sends it to the client unless that is cut off. */
function publish(...numbers: number[]): void {
  for (const n of numbers) {
    gateway.logs.get(room)?.messages.push(message(room, n));
    gateway.last.push(message(room, n));
  }
}

function missed(...numbers: number[]): void {
  for (const n of numbers) gateway.logs.get(room)?.messages.push(message(room, n));
}

async function reconnect(): Promise<void> {
  gateway.last.drop();
  await pass(1000);
}

describe("joining", () => {
  test("resolves with joined, and at once when we are in already", async () => {
    gateway.history(room, 3);
    const joined = await client.joinRoom(room);
    expect(joined).toMatchObject({ epoch: "e1", offset: 3 });
    expect(await client.joinRoom(room)).toBe(joined);
    expect(gateway.last.of("join_room")).toHaveLength(1);
    expect(client.position(room)).toEqual({ epoch: "e1", offset: 3 });
  });

  test("waits for the connection", async () => {
    client.disconnect();
    const joined = client.joinRoom(room);
    void client.connect();
    await pass(1);
    await expect(joined).resolves.toMatchObject({ room });
  });

  test("rejects when the gateway does not let us in, and does not ask again", async () => {
    gateway.intercept = (socket, { id, type }) => {
      if (type !== "join_room") return false;
      socket.push({ type: "error", id: id ?? "", content: { code: 4003, message: "no" } });
      return true;
    };
    await expect(client.joinRoom(room)).rejects.toMatchObject({ code: 4003, message: "no" });
    await reconnect();
    expect(gateway.last.of("join_room")).toHaveLength(0);
  });

  test("tries again by itself when the gateway asks for that", async () => {
    let refusals = 2;
    gateway.intercept = (socket, { id, type }) => {
      if (type !== "join_room" || refusals-- <= 0) return false;
      socket.push({ type: "error", id: id ?? "", content: { code: 4101, message: "later" } });
      return true;
    };
    const joined = client.joinRoom(room);
    await pass(10_000);
    await expect(joined).resolves.toMatchObject({ room });
    expect(gateway.last.of("join_room")).toHaveLength(3);
  });

  test("says so when the gateway does not let us in again", async () => {
    await client.joinRoom(room);
    const errors = collect(client, "error");
    gateway.intercept = (socket, { id, type }) => {
      if (type !== "join_room") return false;
      socket.push({ type: "error", id: id ?? "", content: { code: 4003, message: "no" } });
      return true;
    };
    await reconnect();
    expect(errors).toEqual([{ type: "error", room, content: { code: 4003, message: "no" } }]);
  });

  test("goes on from a position of an earlier visit", async () => {
    gateway.history(room, 9);
    await client.joinRoom(room, { epoch: "e1", offset: 6 });
    expect(offsets()).toEqual([7, 8, 9]);
  });

  test("notices the rooms of the token, and what was missed in them", async () => {
    gateway.history(room, 2);
    const joined = { type: "joined", room, epoch: "e1", offset: 2, recovered: false };
    gateway.last.push(joined);
    publish(3);
    missed(4, 5);
    gateway.accept = (socket) => {
      gateway.welcome(socket);
      socket.push({ ...joined, offset: 5 });
    };
    await reconnect();
    expect(offsets()).toEqual([3, 4, 5]);
  });
});

describe("a room with history", () => {
  beforeEach(async () => {
    gateway.history(room, 2);
    await client.joinRoom(room);
  });

  test("gets each message once, in order", () => {
    publish(3, 4);
    gateway.last.push(message(room, 4));
    gateway.last.push(message(room, 3));
    publish(5);
    expect(offsets()).toEqual([3, 4, 5]);
  });

  test("gets after a reconnect what was missed, and nothing twice", async () => {
    publish(3);
    gateway.last.drop();
    missed(4, 5);
    await pass(1000);
    publish(6);
    expect(offsets()).toEqual([3, 4, 5, 6]);
    expect(gateway.last.of("join_room")[0]?.content).toEqual({ room, since: { epoch: "e1", offset: 3 } });
    expect(lost).toEqual([]);
  });

  test("fills a gap without a new connection, asking once", () => {
    missed(3, 4);
    publish(5);
    publish(6);
    expect(offsets()).toEqual([3, 4, 5, 6]);
    expect(gateway.sockets).toHaveLength(1);
    expect(gateway.last.of("join_room")).toHaveLength(2);
  });

  test("holds back what comes while a gap is being filled", async () => {
    let held: (() => void) | undefined;
    gateway.intercept = (socket, frame) => {
      if (frame.type !== "join_room" || held) return false;
      held = () => gateway.answer(socket, frame);
      return true;
    };
    missed(3);
    publish(4, 5, 6);
    expect(offsets()).toEqual([]);
    await pass(100);
    held?.();
    expect(offsets()).toEqual([3, 4, 5, 6]);
  });

  test("asks again when filling a gap fails", async () => {
    let failures = 1;
    gateway.intercept = (socket, { id, type }) => {
      if (type !== "join_room" || failures-- <= 0) return false;
      socket.push({ type: "error", id: id ?? "", content: { code: 4101, message: "later" } });
      return true;
    };
    missed(3);
    publish(4);
    await pass(5000);
    expect(offsets()).toEqual([3, 4]);
  });

  test("tells the application when history does not reach back", async () => {
    publish(3);
    gateway.last.drop();
    missed(4, 5, 6, 7);
    gateway.logs.get(room)?.messages.splice(0, 5);
    await pass(1000);
    expect(lost).toEqual([{ room, since: { epoch: "e1", offset: 3 }, now: { epoch: "e1", offset: 7 } }]);
    publish(8);
    expect(offsets()).toEqual([3, 8]);
  });

  test("keeps what it has when a gap cannot be filled", () => {
    missed(3, 4);
    gateway.logs.get(room)?.messages.splice(0, 4);
    publish(5);
    publish(6);
    expect(offsets()).toEqual([5, 6]);
    expect(lost).toHaveLength(1);
  });

  test("begins anew in another epoch", async () => {
    publish(3);
    gateway.last.drop();
    gateway.history(room, 1, "e2");
    await pass(1000);
    expect(lost).toEqual([{ room, since: { epoch: "e1", offset: 3 }, now: { epoch: "e2", offset: 1 } }]);
    publish(2);
    expect(offsets()).toEqual([3, 2]);
  });

  test("takes the gateway's word that history was lost while connected", () => {
    publish(3);
    gateway.last.push({ type: "joined", room, epoch: "e2", offset: 0, recovered: false });
    publish(1);
    expect(lost).toHaveLength(1);
    expect(offsets()).toEqual([3, 1]);
  });

  test("leaves, and hears nothing any more", async () => {
    await client.leaveRoom(room);
    publish(3);
    await reconnect();
    expect(got).toEqual([]);
    expect(gateway.last.of("join_room")).toEqual([]);
  });

  test("starts anew for another user", async () => {
    void client.connect(token("bob"));
    await pass(1);
    expect(client.position(room)).toBeUndefined();
    expect(gateway.last.of("join_room")).toEqual([]);
  });
});

describe("a room without history", () => {
  beforeEach(() => client.joinRoom(room).then(() => undefined));

  test("delivers whatever comes, also after a reconnect", async () => {
    gateway.last.push(message(room));
    gateway.last.push(message(room));
    await reconnect();
    gateway.last.push(message(room));
    expect(got).toHaveLength(3);
  });

  test("drops what a sender has repeated, but not counters that begin again", () => {
    const id = "Zm9vYmFyYmF6cXV4MTIzNA";
    gateway.last.push(message(room, undefined, { id }));
    gateway.last.push(message(room, undefined, { id }));
    gateway.last.push(message(room, undefined, { id, from: "cai" }));
    gateway.last.push(message(room, undefined, { id: "1" }));
    gateway.last.push(message(room, undefined, { id: "1" }));
    expect(got).toHaveLength(4);
  });
});
