import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test as base } from "vitest";
import { Tab, launch } from "./browser.ts";
import { Operator, apiKey, consoleSettings } from "./console.ts";
import { barriers, still } from "./inspect.ts";
import { Gateway, until } from "./processes.ts";

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

/** What a gateway's API says. */
async function api<T>(gateway: Gateway, path: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/api/v1/${path}`, {
    headers: { "X-API-Key": apiKey },
  });
  return ((await response.json()) as { data: T }).data;
}

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
      const { websockets } = await api<{ websockets: number }>(gateway, "stats");
      const shown = await operator.row(name).locator("td.number").first().innerText();
      expect([name, shown]).toEqual([name, String(websockets)]);
    }
    await until("a latency", async () => (await operator.number("Latency p99")).endsWith("ms"));
    await until("plots that move", async () => {
      const label = await operator.page.getByRole("img", { name: /^Connections/ }).getAttribute("aria-label");
      return (label ?? "").includes("now 4, at most 4");
    });
    expect(operator.complaints).toEqual([]);
  });

  test("finds a user, sends a notification, and traces it to the socket", async ({ nodes }) => {
    const { a, b, context, visitor } = nodes;
    const ann = await visitor(b, "ann", ["chat:tea"]);
    const operator = await Operator.open(await context(), a);
    await operator.find("ann");
    await operator.sees("Devices of ann");
    await operator.page.getByRole("button", { name: "Test notification" }).click();
    await until("ann gets it", async () => (await ann.frames()).some(({ type }) => type === "notification"));
    await until("the trace ends at ann's socket", async () => {
      const lines = (await operator.trace()).join("; ");
      return [/came in node-a by api/, /has a place .*#1/, /received node-b/, /written node-b → ann/].every(
        (part) => part.test(lines),
      );
    });
    await operator.page.getByLabel("The beginning of a room's name").fill("chat:");
    await operator.page.getByLabel("The beginning of a room's name").press("Enter");
    await operator.page.getByRole("button", { name: "chat:tea · 1" }).click();
    await operator.sees("chat:tea: 1 connections");
    await operator.page.getByRole("button", { name: /^Disconnect/ }).click();
    await until("ann's client stops", async () => (await ann.state()) === "closed");
    await operator.sees("ann is not connected.");
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
      await still(operator.page);
      expect(await barriers(operator.page)).toEqual([]);
      await operator.enter(apiKey);
      await until("nodes are shown", async () => (await operator.number("Nodes")) === "2");
      await operator.find("ann");
      await operator.sees("Devices of ann");
      await operator.page.getByRole("button", { name: "Test notification" }).click();
      await until("a trace is shown", async () => (await operator.trace()).length > 3);
      await operator.page.getByText("Sent. The trace follows it.").waitFor({ state: "hidden" });
      await still(operator.page);
      expect(await barriers(operator.page)).toEqual([]);
    }
  });
});
