import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, inject, test as base } from "vitest";
import { GatewayClient } from "@ginforge/gateway-client";
import { WebSocket } from "ws";
import { Tab, harness, launch } from "./browser.ts";
import type { PageOptions } from "./page/page.ts";
import { Gateway, token, until } from "./processes.ts";
import { Proxy } from "./proxy.ts";
import { Window } from "./window.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});

afterAll(() => browser.close());

/** What one test has to itself: nodes on the common Redis, networks to them, and browsers. */
interface World {
  node: (settings?: Record<string, string>) => Promise<Gateway>;
  network: (to: Gateway) => Promise<Proxy>;
  device: () => Promise<BrowserContext>;
  /** A browser of its own whose tabs are hidden behind the one in front. */
  window: () => Promise<Window>;
  open: (
    context: BrowserContext,
    network: Proxy,
    user: string,
    options?: Partial<PageOptions>,
    wait?: boolean,
  ) => Promise<Tab>;
}

const test = base.extend<{ world: World }>({
  // eslint-disable-next-line no-empty-pattern -- Vitest insists on a pattern
  world: async ({}, use) => {
    const prefix = `${randomUUID()}:`;
    const ends: (() => unknown)[] = [];
    await use({
      async node(settings) {
        const gateway = await Gateway.start(inject("redis"), prefix, settings);
        ends.push(() => gateway.stop());
        return gateway;
      },
      async network(to) {
        const proxy = await Proxy.to(to.port);
        ends.push(() => proxy.close());
        return proxy;
      },
      async device() {
        const context = await browser.newContext();
        ends.unshift(() => context.close());
        return context;
      },
      async window() {
        const window = await Window.open();
        ends.unshift(() => window.close());
        return window;
      },
      open: (context, network, user, options = {}, wait = true) =>
        Tab.open(context, inject("pages"), { url: network.url, user, ...options }, wait),
    });
    for (const end of ends) await end();
  },
});

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
const room = "chat:lobby";
/** Settings of a gateway that soon gives up who does not answer. */
const impatient = { "engine.ping_interval": "2s", "engine.pong_timeout": "1s" };
const rooms = [room];

describe.concurrent("in a browser", () => {
  test("two users chat, and another tab of one of them gets the same", async ({ expect, world }) => {
    const network = await world.network(await world.node());
    const device = await world.device();
    const ann = await world.open(device, network, "ann", { rooms });
    const bob = await world.open(await world.device(), network, "bob", { rooms });
    const third = await world.open(device, network, "ann", { rooms });
    await Promise.all([ann, bob, third].map((tab) => tab.joined(room)));
    await ann.say(room, "hi");
    await bob.say(room, "hello");
    await bob.page.evaluate(() => window.harness.client.sendToUser("ann", "psst"));
    for (const tab of [ann, bob, third]) expect(await tab.hears(room, 2)).toEqual(["hi", "hello"]);
    for (const tab of [ann, third]) {
      await until("the direct message is there", async () =>
        (await tab.frames()).some(
          ({ type, from, content }) => type === "user_message" && from === "bob" && content === "psst",
        ),
      );
    }
  });

  test("nothing is lost or doubled when the gateway is killed and comes back", async ({ expect, world }) => {
    const gateway = await world.node();
    const network = await world.network(gateway);
    const ann = await world.open(await world.device(), network, "ann", { rooms });
    const bob = await world.open(await world.device(), network, "bob", { rooms });
    await Promise.all([ann.joined(room), bob.joined(room)]);
    for (const n of numbers(1, 5)) await ann.say(room, n);
    for (const n of numbers(6, 40)) await ann.queue(room, n); // some are on their way
    await gateway.stop("SIGKILL");
    for (const n of numbers(41, 60)) await ann.queue(room, n);
    await gateway.start();
    for (const tab of [ann, bob]) expect(await tab.hears(room, 60)).toEqual(numbers(1, 60));
    await ann.say(room, 61);
    for (const tab of [ann, bob]) expect(await tab.hears(room, 61)).toEqual(numbers(1, 61));
    expect(await bob.page.evaluate(() => window.harness.lost)).toEqual([]);
  });

  test("nothing is lost or doubled when the network stalls", async ({ expect, world }) => {
    const gateway = await world.node(impatient);
    const [bad, good] = [await world.network(gateway), await world.network(gateway)];
    const ann = await world.open(await world.device(), bad, "ann", { rooms });
    const bob = await world.open(await world.device(), good, "bob", { rooms });
    await Promise.all([ann.joined(room), bob.joined(room)]);
    await bob.say(room, 1);
    await ann.hears(room, 1);
    bad.stall();
    for (const n of numbers(2, 20)) await bob.say(room, n);
    await ann.queue(room, 21);
    await until("the page has noticed", async () => (await ann.state()) !== "connected");
    bad.resume(true);
    expect(await ann.hears(room, 21)).toEqual(numbers(1, 21));
    expect(await bob.hears(room, 21)).toEqual(numbers(1, 21));
  });

  test("a node that drains hands its clients over to another without a break", async ({ expect, world }) => {
    const unhurried = { "drain.grace": "20s", "shutdown.timeout": "60s" };
    const [first, second] = [await world.node(unhurried), await world.node()];
    const [moving, steady] = [await world.network(first), await world.network(second)];
    const ann = await world.open(await world.device(), moving, "ann", { rooms: [room, "plain"] });
    const bob = await world.open(await world.device(), steady, "bob", { rooms: [room, "plain"] });
    for (const tab of [ann, bob]) await Promise.all([tab.joined(room), tab.joined("plain")]);
    moving.retarget(second.port);
    const drain = { done: false };
    const stopped = first.stop("SIGTERM").then(() => (drain.done = true));
    let said = 0;
    for (; !drain.done || said < 100; said++) {
      await bob.say(room, said);
      await bob.say("plain", said);
    }
    await stopped;
    expect(await ann.hears(room, said)).toEqual(numbers(0, said - 1));
    // Without history, what two nodes deliver at a time has no order between them.
    const plain = (await ann.hears("plain", said)) as number[];
    expect(plain.sort((a, b) => a - b)).toEqual(numbers(0, said - 1));
    expect((await ann.states()).map(({ state }) => state)).toEqual(["connecting", "connected"]);
    expect(await ann.page.evaluate(() => window.harness.client.session?.node)).toBe(
      await bob.page.evaluate(() => window.harness.client.session?.node),
    );
  });

  test("the queue survives a reload", async ({ expect, world }) => {
    const gateway = await world.node();
    const network = await world.network(gateway);
    const options = { rooms, queue: { persist: true } };
    const ann = await world.open(await world.device(), network, "ann", options);
    const bob = await world.open(await world.device(), await world.network(gateway), "bob", { rooms });
    await Promise.all([ann.joined(room), bob.joined(room)]);
    network.stall();
    for (const n of numbers(1, 3)) await ann.queue(room, n);
    await until("the queue is stored", () => stored(ann, 3));
    await ann.page.reload();
    await ann.page.waitForFunction(() => "harness" in window);
    network.resume(true);
    await ann.connected();
    expect(await bob.hears(room, 3)).toEqual([1, 2, 3]);
    await until("the store is empty", () => stored(ann, 0));
    await ann.say(room, 4);
    expect(await bob.hears(room, 4)).toEqual([1, 2, 3, 4]);
  });

  test("a tab that was frozen finds its connection dead, and catches up", async ({ expect, world }) => {
    const gateway = await world.node(impatient);
    const network = await world.network(gateway);
    const device = await world.device();
    const ann = await world.open(device, network, "ann", { rooms });
    const bob = await world.open(await world.device(), await world.network(gateway), "bob", { rooms });
    await Promise.all([ann.joined(room), bob.joined(room)]);
    const devtools = await device.newCDPSession(ann.page);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    network.stall();
    for (const n of numbers(1, 10)) await bob.say(room, n);
    await until("the gateway has given the tab up", async () => {
      // The gateway may end a kept connection just when the next question goes out.
      const answer = await fetch(`http://127.0.0.1:${gateway.port}/ws/stats`).catch(() => undefined);
      const stats = (await answer?.json()) as { data: { total_clients: number } } | undefined;
      return stats?.data.total_clients === 1;
    });
    network.resume(true);
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    expect(await ann.hears(room, 10)).toEqual(numbers(1, 10));
  });

  test("a hidden tab that is shown again does not wait for its next attempt", async ({ expect, world }) => {
    const gateway = await world.node({ reconnect_window: "60s" });
    const network = await world.network(gateway);
    const bob = await world.open(await world.device(), await world.network(gateway), "bob", { rooms });
    await bob.joined(room);
    const window = await world.window();
    const ann = await window.tab(harness(inject("pages"), { url: network.url, user: "ann", rooms }));
    const state = (): Promise<unknown> => ann.value("globalThis.harness?.client.state");
    await until("the tab is connected", async () => (await state()) === "connected");
    await ann.value(`harness.client.joinRoom("${room}").then(() => 1)`);
    await ann.value("Math.random = () => 0.9");
    await window.tab("about:blank");
    await until("the tab is hidden", async () => (await ann.value("document.visibilityState")) === "hidden");
    network.cut();
    for (const n of numbers(1, 10)) await bob.say(room, n);
    await until("the tab waits", async () => (await state()) === "waiting");
    expect(await ann.value("harness.states.at(-1).delay")).toBe(54_000);
    expect(network.accepted).toBe(1);
    await ann.show();
    await until("the tab is connected again", async () => (await state()) === "connected", 30_000);
    expect(await ann.value("document.visibilityState")).toBe("visible");
    const heard = "JSON.stringify(harness.frames.filter((f) => f.room).map((f) => f.content))";
    const all = JSON.stringify(numbers(1, 10));
    await until("the tab has caught up", async () => (await ann.value(heard)) === all);
  });

  test("a token that expires is renewed over the same connection", async ({ expect, world }) => {
    // Renewed by when the token expires; the leeway is what a busy machine may take longer.
    const network = await world.network(await world.node({ "jwt.leeway": "10s" }));
    const ann = await world.open(await world.device(), network, "ann", { seconds: 9 });
    const renewed = (): Promise<boolean> => ann.page.evaluate(() => window.harness.tokens.length >= 3);
    await until("the token was renewed twice", renewed);
    expect(await ann.page.evaluate(() => window.harness.tokens)).toEqual(["connect", "refresh", "refresh"]);
    expect((await ann.states()).map(({ state }) => state)).toEqual(["connecting", "connected"]);
    expect(network.accepted).toBe(1);
  });

  test("a bad token stops the client", async ({ expect, world }) => {
    const network = await world.network(await world.node());
    const ann = await world.open(await world.device(), network, "ann", { token: "no.good.token" }, false);
    await until("the page has stopped", async () => (await ann.state()) === "closed");
    expect((await ann.states()).at(-1)).toEqual({ state: "closed", code: 4001, reason: "bad token" });
    await ann.page.evaluate(() => {
      window.dispatchEvent(new Event("online"));
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await ann.page.waitForTimeout(3000);
    expect(network.accepted).toBe(1);
  });

  test("an expired token is replaced by a fresh one", async ({ expect, world }) => {
    const gateway = await world.node();
    const network = await world.network(gateway);
    const ann = await world.open(await world.device(), network, "ann", { seconds: 5 });
    await ann.page.route("**/token?*", (route) => route.abort()); // so that it cannot be renewed in time
    await until("the gateway has ended the connection", async () => (await ann.state()) === "waiting");
    await ann.page.unroute("**/token?*");
    await ann.connected();
    expect((await ann.states()).filter(({ code }) => code !== undefined).map(({ code }) => code)).toContain(
      4300,
    );
  });

  test("tabs share a connection, and one takes over when the other is closed", async ({ expect, world }) => {
    const gateway = await world.node();
    const network = await world.network(gateway);
    const device = await world.device();
    const options = { rooms, shared: true };
    const first = await world.open(device, network, "ann", options);
    const second = await world.open(device, network, "ann", options);
    const third = await world.open(device, network, "ann", options);
    const bob = await world.open(await world.device(), await world.network(gateway), "bob", { rooms });
    await Promise.all([first, second, third, bob].map((tab) => tab.joined(room)));
    expect(network.accepted).toBe(1);
    for (const n of numbers(1, 5)) await bob.say(room, n);
    for (const tab of [first, second, third]) expect(await tab.hears(room, 5)).toEqual(numbers(1, 5));
    await first.page.close();
    for (const n of numbers(6, 20)) await bob.say(room, n);
    for (const tab of [second, third]) expect(await tab.hears(room, 20)).toEqual(numbers(1, 20));
    await third.say(room, 21);
    for (const tab of [second, third, bob]) expect(await tab.hears(room, 21)).toEqual(numbers(1, 21));
    await until("one connection is left", () => network.open === 1);
    expect(network.accepted).toBe(2);
  });

  test("what is sent to a user who is away waits, and comes once", async ({ expect, world }) => {
    const gateway = await world.node();
    const network = await world.network(gateway);
    const device = await world.device();
    const heard = async (tab: Tab): Promise<unknown[]> =>
      (await tab.frames()).filter(({ type }) => type === "user_message").map(({ content }) => content);
    const bob = await world.open(await world.device(), network, "bob");
    const write = (text: string): Promise<unknown> =>
      bob.page.evaluate((content) => window.harness.client.sendToUser("ann", content), text);
    const first = await world.open(device, network, "ann");
    await write("one");
    await until("the first is there", async () => (await heard(first)).length === 1);
    await until("the first is acknowledged", async () => {
      await first.page.waitForTimeout(500); // in which it is, as a rule; else it comes once more
      await first.page.reload();
      await first.page.waitForFunction(() => "harness" in window);
      await first.connected();
      return (await first.page.evaluate(() => window.harness.client.session?.unread)) === 0;
    });
    await first.page.close();
    for (const text of ["two", "three"]) await write(text);
    const second = await world.open(device, network, "ann");
    await until("the others are there", async () => (await heard(second)).length >= 2);
    expect(await heard(second)).toEqual(["two", "three"]);
    expect(await second.page.evaluate(() => window.harness.client.session?.unread)).toBe(2);
  });
});

describe.concurrent("elsewhere", () => {
  test("the client works in a worker", async ({ expect, world }) => {
    const network = await world.network(await world.node());
    const page = await (await world.device()).newPage();
    await page.goto(inject("pages"));
    const heard = await page.evaluate(
      (options) =>
        new Promise((resolve) => {
          const worker = new Worker("/worker.ts", { type: "module" });
          worker.onmessage = ({ data }) => resolve(data);
          worker.postMessage(options);
        }),
      { url: network.url, token: token("ann"), room },
    );
    expect(heard).toBe("from the worker");
  });

  test("the client works in Node, with the WebSocket of package ws", async ({ expect, world }) => {
    const network = await world.network(await world.node());
    const client = new GatewayClient({ url: network.url, token: token("ann"), WebSocket });
    const heard = new Promise((resolve) => client.on("room_message", ({ content }) => resolve(content)));
    await client.connect();
    await client.joinRoom(room);
    await client.sendToRoom(room, "from Node");
    expect(await heard).toBe("from Node");
    client.disconnect();
    await until("the connection is closed", () => network.open === 0);
  });
});

/** Reports whether so many messages are in the page's IndexedDB. */
function stored(tab: Tab, count: number): Promise<boolean> {
  return tab.page.evaluate(
    (wanted) =>
      new Promise<boolean>((resolve) => {
        const opening = indexedDB.open("ginforge-gateway", 1);
        opening.onsuccess = () => {
          const counting = opening.result.transaction("outbox").objectStore("outbox").count();
          counting.onsuccess = () => {
            opening.result.close();
            resolve(counting.result === wanted);
          };
        };
      }),
    count,
  );
}
