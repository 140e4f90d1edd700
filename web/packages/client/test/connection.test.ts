import { beforeEach, describe, expect, test, vi } from "vitest";
import { FakeGateway, collect, pass, token } from "./fake.js";
import type { StateChange } from "@ginforge/gateway-client";

let gateway: FakeGateway;

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  gateway = new FakeGateway();
});

describe("connecting", () => {
  test("sends the token in the subprotocol, not in the address", async () => {
    const client = gateway.client({ url: "http://gateway.test/ws?x=1", device: "phone" });
    await Promise.all([client.connect(), pass(1)]);
    expect(client.state).toBe("connected");
    expect(gateway.last.url).toBe("ws://gateway.test/ws?x=1&device=phone");
    expect(gateway.last.protocols).toEqual(["bearer", token()]);
    expect(client.session?.node).toBe("n1");
  });

  test("asks for a token where none was given", async () => {
    const getToken = vi.fn(() => Promise.resolve(token("bob")));
    const client = gateway.client({ token: undefined as never, getToken });
    await Promise.all([client.connect(), pass(1)]);
    expect(getToken.mock.calls).toEqual([["connect"]]);
    expect(gateway.last.token).toBe(token("bob"));
  });

  test("goes on trying when no token can be got", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const getToken = vi.fn(() => Promise.reject<string>(new Error("offline")));
    const client = gateway.client({ token: undefined as never, getToken });
    void client.connect();
    await pass(0);
    expect(client.state).toBe("waiting");
    getToken.mockResolvedValue(token());
    await pass(2501);
    expect(client.state).toBe("connected");
  });

  test("gives up on a handshake that never ends", async () => {
    gateway.accept = () => undefined;
    const client = gateway.client();
    void client.connect();
    await pass(15_001);
    expect(client.state).toBe("waiting");
    expect(gateway.last.closed).toBe(true);
  });

  test("says what it is doing", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const client = gateway.client();
    const states = collect<StateChange>(client, "gateway:state");
    void client.connect();
    await pass(1);
    gateway.last.drop(4200, { reason: "draining", delay_ms: 1200 });
    await pass(1201);
    client.disconnect();
    expect(states).toEqual([
      { state: "connecting" },
      { state: "connected" },
      { state: "waiting", code: 4200, reason: "draining", delay: 1200 },
      { state: "connecting" },
      { state: "connected" },
      { state: "idle" },
    ]);
  });
});

describe("after the connection has ended", () => {
  test("40xx stops for good, and tells who waits for the connection", async () => {
    gateway.accept = (socket) => socket.drop(4001, { reason: "bad token" });
    const client = gateway.client();
    const connected = client.connect();
    await pass(1);
    await expect(connected).rejects.toMatchObject({ code: 4001, message: "bad token" });
    await pass(600_000);
    expect(gateway.sockets).toHaveLength(1);
    expect(client.state).toBe("closed");
  });

  test("another connect begins again after 40xx", async () => {
    gateway.accept = (socket) => socket.drop(4001);
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.accept = (socket) => gateway.welcome(socket);
    void client.connect(token("ann", 60));
    await pass(1);
    expect(client.state).toBe("connected");
  });

  test("a crowd of clients comes back spread over the window that welcome names", async () => {
    gateway.window = 10_000;
    const clients = Array.from({ length: 400 }, () => gateway.client());
    for (const client of clients) void client.connect();
    await pass(1);
    for (const socket of [...gateway.sockets]) socket.drop(1006);
    const perSecond: number[] = [];
    for (let second = 0; second < 10; second++) {
      const before = gateway.sockets.length;
      await pass(1000);
      perSecond.push(gateway.sockets.length - before);
    }
    expect(gateway.sockets).toHaveLength(800);
    for (const count of perSecond) expect(count).toBeGreaterThan(15);
    for (const count of perSecond) expect(count).toBeLessThan(70);
  });

  test("4300 gets a fresh token first", async () => {
    const getToken = vi.fn(() => token("ann", 3600));
    const client = gateway.client({ getToken });
    void client.connect();
    await pass(1);
    gateway.last.drop(4300, { reason: "expired" });
    await pass(1);
    expect(client.state).toBe("connected");
    expect(getToken.mock.calls).toEqual([["expired"]]);
    expect(gateway.last.token).toBe(token("ann", 3600));
  });

  test("4300 stops who has no way to get one", async () => {
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop(4300, { reason: "expired" });
    await pass(60_000);
    expect(client.state).toBe("closed");
    expect(gateway.sockets).toHaveLength(1);
  });

  test("a token that is known to have expired is not tried again", async () => {
    const getToken = vi.fn(() => token("ann", 7200));
    const client = gateway.client({ token: token("ann", 60), getToken });
    void client.connect();
    await pass(1);
    gateway.last.dead = true;
    await pass(58_000);
    expect(getToken).toHaveBeenCalled();
  });

  test("a connection that never holds makes the pauses longer", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    gateway.accept = (socket) => {
      gateway.welcome(socket);
      socket.drop(1011);
    };
    const client = gateway.client();
    const states = collect<StateChange>(client, "gateway:state");
    void client.connect();
    await pass(180_000);
    expect(states.flatMap(({ delay }) => delay ?? [])).toEqual([
      5000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
    ]);
  });

  test("disconnect ends the attempts", async () => {
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop();
    client.disconnect();
    await pass(600_000);
    expect(gateway.sockets).toHaveLength(1);
    expect(client.state).toBe("idle");
  });
});

describe("waking up", () => {
  const page = (): EventTarget & { visibilityState: string } =>
    Object.assign(new EventTarget(), { visibilityState: "visible" });

  test.each(["visibilitychange", "resume"])("%s cuts a pause short", async (type) => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const document = page();
    vi.stubGlobal("document", document);
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop();
    await pass(1500);
    document.visibilityState = "hidden";
    document.dispatchEvent(new Event(type));
    await pass(1);
    expect(client.state).toBe("waiting");
    document.visibilityState = "visible";
    document.dispatchEvent(new Event(type));
    await pass(1);
    expect(client.state).toBe("connected");
  });

  test("online cuts a pause short", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const window = new EventTarget();
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop();
    await pass(1500);
    window.dispatchEvent(new Event("online"));
    await pass(1);
    expect(client.state).toBe("connected");
    client.disconnect();
    window.dispatchEvent(new Event("online"));
    await pass(1);
    expect(client.state).toBe("idle");
  });

  test("a pause that the server has chosen is kept", async () => {
    const document = page();
    vi.stubGlobal("document", document);
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop(4100, { reason: "over capacity", delay_ms: 9000 });
    await pass(2000);
    document.dispatchEvent(new Event("visibilitychange"));
    await pass(6999);
    expect(client.state).toBe("waiting");
    await pass(2);
    expect(client.state).toBe("connected");
  });

  test("a page that is shown and hidden in turns does not hammer a server that is away", async () => {
    const document = page();
    vi.stubGlobal("document", document);
    gateway.accept = (socket) => socket.drop();
    const client = gateway.client();
    void client.connect();
    for (let i = 0; i < 100; i++) {
      await pass(20);
      document.dispatchEvent(new Event("visibilitychange"));
    }
    expect(gateway.sockets.length).toBeLessThan(6);
  });
});
