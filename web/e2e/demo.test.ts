import { randomUUID } from "node:crypto";
import type { Browser, BrowserContext, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test as base } from "vitest";
import { launch } from "./browser.ts";
import { Visitor, demoSettings } from "./demo.ts";
import { Gateway, until } from "./processes.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});

afterAll(() => browser.close());

interface Demo {
  gateway: Gateway;
  device: (options?: BrowserContextOptions) => Promise<BrowserContext>;
}

const test = base.extend<{ demo: Demo }>({
  // eslint-disable-next-line no-empty-pattern -- Vitest insists on a pattern
  demo: async ({}, use) => {
    const gateway = await Gateway.start(inject("redis"), `${randomUUID()}:`, demoSettings);
    const contexts: BrowserContext[] = [];
    await use({
      gateway,
      async device(options) {
        const context = await browser.newContext({ locale: "en-US", ...options });
        contexts.push(context);
        return context;
      },
    });
    await Promise.all(contexts.map((context) => context.close()));
    await gateway.stop();
  },
});

const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

describe.concurrent("the demo page", () => {
  test("two users chat, and another device of one of them shows the same", async ({ demo }) => {
    const { gateway, device } = demo;
    const ann = await Visitor.open(await device(), gateway, "Ann");
    const bob = await Visitor.open(await device(), gateway, "Bob");
    const annsPhone = await Visitor.open(await device(phone), gateway, "Ann", "phone");
    await ann.member("Bob").waitFor();
    await ann.write("Good morning");
    await bob.sees("Good morning");
    await bob.write("Hello Ann");
    for (const visitor of [ann, bob, annsPhone]) {
      await visitor.sees("Hello Ann");
      expect(await visitor.lines()).toEqual(["Good morning", "Hello Ann"]);
      expect(visitor.complaints).toEqual([]);
    }
  });

  test("who comes later sees what was said", async ({ demo }) => {
    const { gateway, device } = demo;
    const ann = await Visitor.open(await device(), gateway, "Ann");
    await ann.write("Is anybody there?");
    await ann.write("Never mind");
    const late = await Visitor.open(await device(), gateway, "李雷");
    await late.sees("Never mind");
    expect(await late.lines()).toEqual(["Is anybody there?", "Never mind"]);
  });

  test("direct messages go both ways, and to one's own other devices", async ({ demo }) => {
    const { gateway, device } = demo;
    const ann = await Visitor.open(await device(), gateway, "Ann");
    const bob = await Visitor.open(await device(), gateway, "Bob");
    const bobs = await Visitor.open(await device(), gateway, "Bob", "tablet");
    await ann.member("Bob").click();
    await ann.write("Just between us");
    for (const visitor of [bob, bobs]) {
      await visitor.page.getByRole("navigation").getByRole("button", { name: "Ann" }).click();
      await visitor.sees("Just between us");
    }
    await bob.write("Of course");
    for (const visitor of [ann, bobs]) await visitor.sees("Of course");
    for (const visitor of [ann, bob, bobs]) {
      expect(await visitor.lines()).toEqual(["Just between us", "Of course"]);
    }
  });

  test("a notification counts as unread, also after a reload, until it was read", async ({ demo }) => {
    const { gateway, device } = demo;
    const ann = await Visitor.open(await device(), gateway, "Ann");
    const notice = {
      type: "notification",
      content: { title: "Order shipped", body: "It arrives on Friday." },
    };
    await gateway.publish("notification:ann", notice);
    await ann.button("Notifications, 1 unread").waitFor();
    await ann.page.reload();
    await ann.button("Notifications, 1 unread").click();
    await ann.button("Mark all as read").click();
    await ann.page.keyboard.press("Escape");
    await ann.button("Notifications, 0 unread").waitFor();
    await until("the gateway is told", () => ann.sent.some((frame) => frame.includes('"type":"ack"')));
    await ann.page.reload();
    await ann.sees("Connected");
    await ann.button("Notifications, 0 unread").waitFor();
  });

  test("what a backend tells everybody is shown", async ({ demo }) => {
    const { gateway, device } = demo;
    const ann = await Visitor.open(await device(), gateway, "Ann");
    await gateway.publish("broadcast", {
      type: "system",
      content: { message: "Maintenance at noon", level: "warning", code: 1001 },
    });
    await ann.sees("Maintenance at noon");
    const update = { entity: "user", action: "create", id: "123" };
    await gateway.publish("broadcast", { type: "data_update", content: update });
    await ann.sees("user create");
    await gateway.publish("room:chat:lobby", {
      type: "room_message",
      from_name: "Backend",
      content: { text: "From a terminal" },
    });
    await ann.sees("From a terminal");
  });

  test("a gateway that dies is shown, and what was written meanwhile is sent once", async ({ demo }) => {
    const { gateway, device } = demo;
    const ann = await Visitor.open(await device(), gateway, "Ann");
    const bob = await Visitor.open(await device(), gateway, "Bob");
    await ann.write("before");
    await bob.sees("before");
    await gateway.stop();
    await ann.sees("Offline, trying again");
    await ann.write("in between");
    await ann.sees("1 waiting");
    await gateway.start();
    await ann.sees("Connected", 40_000);
    await bob.sees("in between", 40_000);
    await bob.write("after");
    for (const visitor of [ann, bob]) {
      await visitor.sees("after");
      await until("nothing is doubled", async () => (await visitor.lines()).length === 3);
      expect(await visitor.lines()).toEqual(["before", "in between", "after"]);
    }
  });

  test("everything can be reached by the keyboard", async ({ demo }) => {
    const { gateway, device } = demo;
    const { page, ...visitor } = await Visitor.open(await device(), gateway).then((v) => ({
      page: v.page,
      at: (name: string | RegExp) => v.button(name),
      sees: (text: string) => v.sees(text),
      composer: v.composer,
    }));
    await page.getByLabel("Your name").press("A");
    await page.keyboard.type("nn");
    await page.keyboard.press("Enter");
    await visitor.sees("Connected");
    const tabTo = async (what: {
      evaluate: (f: (e: Element) => boolean) => Promise<boolean>;
    }): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        if (await what.evaluate((e) => e === document.activeElement)) return;
        await page.keyboard.press("Tab");
      }
      throw new Error("the keyboard does not get there");
    };
    await tabTo(visitor.composer);
    await page.keyboard.type("no mouse");
    await page.keyboard.press("Enter");
    await visitor.sees("no mouse");
    await tabTo(visitor.at("chat:coffee"));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "chat:coffee" }).waitFor();
    await tabTo(visitor.at(/^Notifications/));
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  });

  test("it keeps nobody out", async ({ demo }) => {
    const { gateway, device } = demo;
    const login = await Visitor.open(await device(), gateway);
    expect(await login.barriers(), "login").toEqual([]);
    const ann = await Visitor.open(await device(), gateway, "Ann");
    const bob = await Visitor.open(await device({ ...phone, colorScheme: "dark" }), gateway, "Bob");
    await bob.write("dark on a phone");
    await ann.sees("dark on a phone");
    expect(await ann.barriers(), "chat").toEqual([]);
    expect(await bob.barriers(), "dark, phone").toEqual([]);
    await gateway.publish("notification:ann", { type: "notification", content: { title: "Shipped" } });
    await ann.button("Notifications, 1 unread").click();
    await ann.button("Mark all as read").waitFor();
    await ann.still();
    expect(await ann.barriers(), "notifications").toEqual([]);
  });

  test("it speaks Chinese, and keeps language and theme", async ({ demo }) => {
    const { gateway, device } = demo;
    const { page } = await Visitor.open(await device(), gateway, "Ann");
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByText("已连接", { exact: true }).waitFor();
    await page.getByRole("button", { name: "浅色或深色" }).click();
    await page.reload();
    await page.getByText("已连接", { exact: true }).waitFor();
    expect(
      await page.evaluate(() => [document.documentElement.lang, document.documentElement.className]),
    ).toEqual(["zh-CN", "dark"]);
  });
});
