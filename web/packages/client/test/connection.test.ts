import { beforeEach, describe, expect, test, vi } from "vitest";
import { fakePage } from "./browser.js";
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

  test("gives up on a token that never comes, and takes no notice if it does later", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const given: ((token: string) => void)[] = [];
    const getToken = vi.fn(() => new Promise<string>((resolve) => given.push(resolve)));
    const client = gateway.client({ token: undefined as never, getToken });
    const states = collect<StateChange>(client, "gateway:state");
    void client.connect();
    await pass(15_001);
    expect(states.at(-1)).toMatchObject({ state: "waiting", reason: "no token" });
    await pass(2500);
    expect(client.state).toBe("connecting");
    const bobs = token("bob");
    given[1]?.(bobs);
    await pass(1);
    given[0]?.(token("ann"));
    await pass(60_000);
    expect(client.state).toBe("connected");
    expect(gateway.sockets.map((socket) => socket.token)).toEqual([bobs]);
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
  test.each(["visibilitychange", "resume"])("%s cuts a pause short", async (type) => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const page = fakePage();
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop();
    await pass(1500);
    page.visibilityState = "hidden";
    page.happens(type);
    await pass(1);
    expect(client.state).toBe("waiting");
    page.visibilityState = "visible";
    page.happens(type);
    await pass(1);
    expect(client.state).toBe("connected");
  });

  test("online cuts a pause short, until nothing is wanted any more", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const page = fakePage();
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop();
    await pass(1500);
    page.happens("online");
    await pass(1);
    expect(client.state).toBe("connected");
    client.disconnect();
    page.happens("online");
    await pass(1);
    expect(client.state).toBe("idle");
  });

  test("so does another connect", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop();
    await pass(1500);
    await Promise.all([client.connect(), pass(1)]);
    expect(gateway.sockets).toHaveLength(2);
  });

  test("online right after a failed attempt leads to the next one a second after that", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const page = fakePage();
    const client = gateway.client();
    gateway.accept = (socket) => socket.drop();
    void client.connect();
    await pass(20_000);
    const before = gateway.sockets.length;
    await vi.advanceTimersToNextTimerAsync(); // an attempt
    await pass(300);
    expect(gateway.sockets).toHaveLength(before + 1);
    gateway.accept = (socket) => gateway.welcome(socket);
    for (let i = 0; i < 3; i++) page.happens("online");
    await pass(690);
    expect(client.state).toBe("waiting");
    await pass(20);
    expect(client.state).toBe("connected");
    await pass(60_000);
    expect(gateway.sockets).toHaveLength(before + 2);
  });

  test("an attempt that hangs is given up when the network is back", async () => {
    const page = fakePage();
    gateway.accept = () => undefined;
    const client = gateway.client();
    void client.connect();
    await pass(500);
    gateway.accept = (socket) => gateway.welcome(socket);
    page.happens("online");
    await pass(1400);
    expect(gateway.sockets).toHaveLength(1); // it may still get through
    await pass(200);
    expect(client.state).toBe("connected");
    expect(gateway.sockets.map(({ closed }) => closed)).toEqual([true, false]);
  });

  test("an attempt that gets through in time is kept", async () => {
    const page = fakePage();
    gateway.accept = (socket) => setTimeout(() => gateway.welcome(socket), 1000);
    const client = gateway.client();
    void client.connect();
    await pass(500);
    page.happens("online");
    await pass(10_000);
    expect(client.state).toBe("connected");
    expect(gateway.sockets).toHaveLength(1);
  });

  test("a pause that the server has chosen is kept", async () => {
    const page = fakePage();
    const client = gateway.client();
    void client.connect();
    await pass(1);
    gateway.last.drop(4100, { reason: "over capacity", delay_ms: 9000 });
    await pass(2000);
    page.happens("visibilitychange");
    void client.connect();
    await pass(6999);
    expect(client.state).toBe("waiting");
    await pass(2);
    expect(client.state).toBe("connected");
  });

  test("a token that was revoked is not tried again for it", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    const page = fakePage();
    const getToken = vi.fn(() => token("ann", 3600));
    const client = gateway.client({ getToken });
    gateway.accept = (socket) => socket.drop();
    void client.connect();
    await pass(1);
    gateway.accept = (socket) => socket.drop(4301, { reason: "revoked" });
    await pass(5000); // the second attempt: the next comes after a pause
    expect(getToken).not.toHaveBeenCalled();
    gateway.accept = (socket) => gateway.welcome(socket);
    page.happens("online");
    await pass(1000);
    expect(getToken.mock.calls).toEqual([["expired"]]);
    expect(client.state).toBe("connected");
  });

  test("a page that is shown and hidden in turns does not hammer a server that is away", async () => {
    const page = fakePage();
    gateway.accept = (socket) => socket.drop();
    const client = gateway.client();
    void client.connect();
    for (let i = 0; i < 100; i++) {
      await pass(20);
      page.happens("visibilitychange");
    }
    expect(gateway.sockets.length).toBeLessThan(6);
  });
});
