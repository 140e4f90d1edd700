import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test as base } from "vitest";
import { Tab, launch } from "./browser.ts";
import { Operator, apiKey, call, consoleSettings, crowd, pour } from "./console.ts";
import { barriers } from "./inspect.ts";
import { Peer } from "./peer.ts";
import { Gateway, until } from "./processes.ts";
import { Redis } from "./redis.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});

afterAll(() => browser.close());

interface Nodes {
  a: Gateway;
  b: Gateway;
  context: (options?: BrowserContextOptions) => Promise<BrowserContext>;
  /** A page of the harness, for a user of a node. */
  visitor: (gateway: Gateway, user: string, rooms?: string[]) => Promise<Tab>;
}

const test = base.extend<{ nodes: Nodes }>({
  // eslint-disable-next-line no-empty-pattern -- Vitest insists on a pattern
  nodes: async ({}, use) => {
    const redis = inject("redis");
    const pages = inject("pages");
    const prefix = `${randomUUID()}:`;
    const settings = { ...consoleSettings, "engine.origins": new URL(pages).origin };
    const start = (node: string): Promise<Gateway> => Gateway.start(redis, prefix, { ...settings, node });
    const [a, b] = await Promise.all([start("node-a"), start("node-b")]);
    const contexts: BrowserContext[] = [];
    const context = async (options?: BrowserContextOptions): Promise<BrowserContext> => {
      const made = await browser.newContext({ locale: "en-US", ...options });
      contexts.push(made);
      return made;
    };
    await use({
      a,
      b,
      context,
      visitor: async (gateway, user, rooms = []) =>
        Tab.open(await context(), pages, { url: `ws://127.0.0.1:${gateway.port}/ws`, user, rooms }),
    });
    await Promise.all(contexts.map((made) => made.close()));
    await Promise.all([a.stop(), b.stop()]);
  },
});

describe.concurrent("the console", () => {
  test("shows what the API says, of all nodes, as it changes", async ({ nodes }) => {
    const { a, b, context, visitor } = nodes;
    const operator = await Operator.open(await context(), a);
    await operator.sees("Live");
    await until("both nodes are shown", async () => (await operator.number("Nodes")) === "2");
    await visitor(a, "ann", ["chat:1"]);
    await visitor(b, "bob", ["chat:1"]);
    await visitor(b, "cid");
    await until("the console and three visitors", async () => (await operator.number("Connections")) === "4");
    for (const [gateway, name] of [
      [a, "node-a"],
      [b, "node-b"],
    ] as const) {
      await until(`what ${name} says itself`, async () => {
        const { websockets } = await call<{ websockets: number }>(gateway, "stats");
        const shown = await operator.row(name).locator("td.number").first().innerText();
        return shown === String(websockets);
      });
    }
    const message = { type: "room_message", content: { text: "tea" } };
    await until("the latency of a message", async () => {
      await call(a, "publish", { channel: "room:chat:1", message });
      return (await operator.number("Latency p99")).endsWith("ms");
    });
    await until("that of a probe", async () =>
      / [\d.]+ ms$/.test(await operator.plot("Through Redis and back, probe")),
    );
    await until("plots that move", async () =>
      (await operator.described("Connections")).includes("now 4, at most 4"),
    );
    expect(operator.complaints).toEqual([]);
  });

  test("plots why clients are refused, in words", async ({ nodes }) => {
    const { a, b, context } = nodes;
    const operator = await Operator.open(await context(), a);
    const eve = await Peer.open(b, { user: "eve" });
    await until("the causes", async () => {
      await fetch(`http://127.0.0.1:${b.port}/ws?token=wrong`).catch(() => undefined);
      eve.send({ type: "leave_room", content: { room: "chat:none" } });
      const plot = await operator.plot("Refused per second, by cause");
      return /bad token [\d.]+/.test(plot) && /4003 not allowed [\d.]+/.test(plot);
    });
    await operator.sees("4003 not allowed");
    await operator.page.getByRole("button", { name: "中文" }).click();
    await operator.sees("4003 不允许");
    eve.cut();
  });

  test("has a past when it is opened, and says what was when", async ({ nodes }) => {
    const { a, context } = nodes;
    await until("there is a past", async () => {
      const { moments } = await call<{ moments: unknown[] }>(a, "console/past");
      return moments.length > 1;
    });
    const operator = await Operator.open(await context(), a);
    await until("figures", async () => (await operator.described("Connections")).includes("now"));
    const [, seconds] = /the last 0m (\d+)s/.exec(await operator.described("Connections")) ?? [];
    expect(Number(seconds)).toBeGreaterThanOrEqual(5);
    const box = operator.page.getByRole("img", { name: /^Connections,/ });
    const { width, height } = (await box.boundingBox()) ?? { width: 0, height: 0 };
    let x = width - 10;
    await until("the time at the pointer, in every plot", async () => {
      await box.hover({ position: { x: --x, y: height / 2 } });
      return /\d\d:\d\d:\d\d/.test(await operator.plot("Goroutines of all nodes"));
    });
  });

  test("names who is slow, and traces what is dropped", async ({ nodes }) => {
    const { a, b, context } = nodes;
    const operator = await Operator.open(await context(), a);
    const tv = await Peer.open(b, { user: "sam", device: "tv", rooms: ["game:1"] });
    tv.stall();
    await crowd(b, "game:1");
    await operator.sees("1 connections are close to their limit");
    await until("it is named", async () => /tv .*node-b/.test(await operator.row("sam").innerText()));
    await operator.row("sam").getByRole("button", { name: "Find sam" }).click();
    await operator.sees("Devices of sam");
    await operator.follow("lost-one");
    await operator.sees("nothing has happened to it yet");
    const lost = { type: "room_message", id: "lost-one", content: "x" };
    await call(a, "publish", { channel: "room:game:1", message: lost });
    await until("it waits", async () => /waits .* → sam\/tv/.test((await operator.trace()).join("; ")));
    await until("it is dropped, when too much waits", async () => {
      await pour(b, "game:1");
      return /dropped .* → sam\/tv/.test((await operator.trace()).join("; "));
    });
    tv.cut();
  });

  test("says that Redis is away, and who is not counted", async ({ nodes }) => {
    const { context } = nodes;
    const redis = await Redis.start();
    const start = (node: string): Promise<Gateway> =>
      Gateway.start(redis.url, "away:", { ...consoleSettings, node });
    const gateways = await Promise.all([start("node-c"), start("node-d")]);
    const operator = await Operator.open(await context(), gateways[0]);
    await until("both nodes are shown", async () => (await operator.number("Nodes")) === "2");
    await redis.stop();
    await operator.sees(/Redis is away: .* Not counted: node-d/);
    expect(await operator.number("Nodes")).toBe("1 of 2");
    await until("the row says so", async () =>
      (await operator.row("node-d").innerText()).includes("no answer"),
    );
    await redis.start();
    // On a busy machine one of them may still miss a question, which is said for a second.
    await until(
      "both are back, and no problem is left",
      async () =>
        (await operator.number("Nodes")) === "2" &&
        (await operator.page.locator("main .problem").count()) === 0,
    );
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis.remove();
  });

  test("finds a user, sends a notification, and traces it to the socket", async ({ nodes }) => {
    const { a, b, context, visitor } = nodes;
    const ann = await visitor(b, "ann", ["chat:tea"]);
    const operator = await Operator.open(await context(), a);
    await operator.find("ann");
    await operator.sees("Devices of ann");
    await operator.page.getByRole("button", { name: "Test notification to ann" }).click();
    await until("ann gets it", async () => (await ann.frames()).some(({ type }) => type === "notification"));
    const stages = [
      /came in node-a by api/,
      /has a place .*#1/,
      /received node-b/,
      /written node-b → ann/,
      /confirmed node-b → ann/,
    ];
    await until("the trace ends with ann's confirmation", async () => {
      const lines = (await operator.trace()).join("; ");
      return stages.every((part) => part.test(lines));
    });
    await operator.page.getByLabel("The message's id").fill("ab"); // what is typed is not asked for
    const asked = operator.page.waitForResponse(/\/trace\/console-/);
    expect((await asked).status()).toBe(200);
    await until("nobody complains", async () => (await operator.page.locator("main .problem").count()) === 0);
    await operator.follow("abc");
    await operator.sees("want 4 to 128 bytes");
    await operator.find("an"); // the beginning
    await operator.page.getByRole("button", { name: /^ann / }).click();
    await operator.sees("Devices of ann");
    await operator.page.getByLabel("The beginning of a room's name").fill("chat:");
    await operator.page.getByLabel("The beginning of a room's name").press("Enter");
    await operator.page.getByRole("button", { name: "chat:tea · 1" }).click();
    await operator.sees("chat:tea: 1 connections");
    await operator.page.getByRole("button", { name: /^Disconnect/ }).click();
    await until("ann's client stops", async () => (await ann.state()) === "closed");
    await operator.sees("ann is not connected.");
    await visitor(b, "ann"); // who is shown is looked at again, without being asked for
    await operator.sees("Devices of ann");
  });

  test("shows what was asked for last, whatever is answered last", async ({ nodes }) => {
    const { a, context, visitor } = nodes;
    await visitor(a, "ann"); // at the node that is asked, which may not have heard of the other yet
    await visitor(a, "bob");
    const operator = await Operator.open(await context(), a);
    await operator.find("ann");
    await operator.sees("Devices of ann");
    const ann = await operator.hold(/\/users\/ann\/devices$/);
    await operator.page.getByRole("button", { name: /^Disconnect/ }).click();
    await ann.made();
    await operator.find("bob");
    await operator.sees("Devices of bob");
    await ann.answer();
    expect(await operator.page.getByText("Devices of bob").count()).toBe(1);

    await operator.follow("order-41");
    await operator.sees("nothing has happened to it yet");
    const look = await operator.hold(/\/trace\/order-41$/);
    await look.made();
    await operator.follow("abc");
    await operator.sees("want 4 to 128 bytes");
    await look.answer();
    expect(await operator.page.getByText("want 4 to 128 bytes").count()).toBe(1);
  });

  test("drains a node when that is confirmed", async ({ nodes }) => {
    const { a, context } = nodes;
    const operator = await Operator.open(await context(), a);
    const drain = operator.page.getByRole("button", { name: "Drain node-b" });
    await drain.click();
    await operator.page.getByRole("button", { name: "Leave it" }).click();
    await operator.page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await operator.row("node-b").innerText()).toContain("ready");
    await drain.click();
    await operator.page.getByRole("button", { name: "Drain it" }).click();
    await until("node-b drains", async () => (await operator.row("node-b").innerText()).includes("draining"));
  });

  test("says that a key is wrong, and that a node does not answer", async ({ nodes }) => {
    const { a, b, context } = nodes;
    const operator = await Operator.open(await context(), a, "");
    await operator.enter("a-key-that-nobody-has-given-out");
    await operator.page.getByRole("alert").waitFor();
    await operator.enter(apiKey);
    await until("both nodes are shown", async () => (await operator.number("Nodes")) === "2");
    await operator.page.reload(); // the tab keeps the key
    await until("both are shown again", async () => (await operator.number("Nodes")) === "2");
    await b.stop();
    await operator.sees(/No answer from node-b/);
    await a.stop();
    await operator.sees("Offline, trying again");
  });

  test("keeps nobody out", async ({ nodes }) => {
    const { a, b, context, visitor } = nodes;
    await visitor(b, "ann", ["chat:tea"]);
    for (const colorScheme of ["light", "dark"] as const) {
      const operator = await Operator.open(await context({ colorScheme }), a, "");
      await operator.page.getByLabel("API key").waitFor();
      expect(await barriers(operator.page)).toEqual([]);
      await operator.enter(apiKey);
      await until("nodes are shown", async () => (await operator.number("Nodes")) === "2");
      await operator.find("ann");
      await operator.sees("Devices of ann");
      await operator.page.getByRole("button", { name: "Test notification" }).click();
      await until("a trace is shown", async () => (await operator.trace()).length > 3);
      await operator.page.getByText("Sent. The trace follows it.").waitFor({ state: "hidden" });
      expect(await barriers(operator.page)).toEqual([]);
    }
  });
});
