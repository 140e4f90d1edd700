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
    const shown = ann.sees("User 123 was created"); // for some seconds
    await gateway.publish("broadcast", { type: "data_update", content: update });
    await shown;
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
    await ann.sees("Offline");
    await ann.write("in between");
    await ann.sees("1 waiting");
    await gateway.start();
    await ann.sees("Connected");
    await bob.sees("in between");
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
    await tabTo(page.getByRole("button", { name: "Coffee", exact: true }));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Coffee" }).waitFor();
    await tabTo(visitor.at(/^Notifications/));
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  });

  test.for(["light", "dark"] as const)("it keeps nobody out, %s", async (colorScheme, { demo }) => {
    const { gateway, device } = demo;
    const login = await Visitor.open(await device({ colorScheme }), gateway);
    expect(await login.barriers(), "login").toEqual([]);
    const ann = await Visitor.open(await device({ colorScheme }), gateway, "Ann");
    const bob = await Visitor.open(await device({ ...phone, colorScheme }), gateway, "Bob");
    await bob.write("from a phone");
    await ann.sees("from a phone");
    expect(await ann.barriers(), "chat").toEqual([]);
    expect(await bob.barriers(), "chat, phone").toEqual([]);
    const shown = ann.sees("Shipped 2"); // for some seconds
    for (const n of [1, 2]) {
      await gateway.publish("notification:ann", {
        type: "notification",
        content: { title: `Shipped ${n}`, link: `/orders/${n}`, icon: "Van" },
      });
    }
    await gateway.publish("broadcast", {
      type: "system",
      content: { message: "Maintenance at noon", level: "warning", code: 1001 },
    });
    await Promise.all([shown, ann.sees("Maintenance at noon")]);
    expect(await ann.barriers(), "toasts and a banner").toEqual([]);
    await ann.button("Notifications, 2 unread").click();
    await ann.button("Mark as read").first().click();
    expect(await ann.barriers(), "notifications").toEqual([]);
    await ann.page.keyboard.press("Escape");
    await ann.button("Try it from a terminal").click();
    await ann.button("Copy: A notification for you").waitFor();
    expect(await ann.barriers(), "the lines for a terminal").toEqual([]);
    await ann.page.keyboard.press("Escape");
    await ann.member("Bob").click();
    await ann.write("just between us");
    expect(await ann.barriers(), "a direct message").toEqual([]);
    await bob.button("Menu").click();
    await bob.button("Ann").waitFor();
    expect(await bob.barriers(), "the menu of a phone").toEqual([]);
  });

  test("direct messages are there after a reload, and are counted once", async ({ demo }) => {
    const { gateway, device } = demo;
    const dora = await Visitor.open(await device(), gateway, "Dora");
    const ann = await Visitor.open(await device(), gateway, "Ann");
    await ann.member("Dora").click();
    await ann.write("one");
    await ann.write("two");
    await gateway.publish("notification:dora", { type: "notification", content: { title: "Shipped" } });
    await dora.button("Notifications, 1 unread").waitFor();
    await dora.button("Ann 2").waitFor();
    await dora.page.reload();
    await dora.sees("1 unread notification"); // what waits in the inbox has come, in one toast
    await dora.button("Ann 2").click(); // and was not counted again
    await dora.sees("two");
    await dora.button("Notifications, 1 unread").click();
    await dora.button("Mark all as read").click();
    await until("the gateway is told", () => dora.sent.some((frame) => frame.includes('"type":"ack"')));
    await dora.page.reload();
    await dora.sees("Connected");
    await dora.page.getByRole("navigation").getByRole("button", { name: "Ann" }).click();
    await dora.sees("two");
    expect(await dora.lines()).toEqual(["one", "two"]);
    await ann.write("three");
    await dora.sees("three");
    expect(await dora.lines()).toEqual(["one", "two", "three"]);
  });

  test("what was read on one device is read on the others", async ({ demo }) => {
    const { gateway, device } = demo;
    const laptop = await Visitor.open(await device(), gateway, "Ann");
    const tablet = await Visitor.open(await device(), gateway, "Ann", "tablet");
    await gateway.publish("notification:ann", { type: "notification", content: { title: "Shipped" } });
    for (const ann of [laptop, tablet]) await ann.button("Notifications, 1 unread").waitFor();
    await laptop.button("Notifications, 1 unread").click();
    await laptop.button("Mark all as read").click();
    await tablet.button("Notifications, 0 unread").waitFor();
  });

  test.for([
    ["a desktop", { viewport: { width: 1280, height: 800 } }],
    ["a phone", phone],
  ] as const)("what comes unasked hides nothing that matters, on %s", async ([, options], { demo }) => {
    const { gateway, device } = demo;
    const context = await device(options);
    await context.addInitScript(() => {
      let live = 0;
      const count = (change: number): void =>
        void (document.documentElement.dataset["intervals"] = String((live += change)));
      const start = window.setInterval.bind(window);
      const stop = window.clearInterval.bind(window);
      window.setInterval = ((...args: Parameters<typeof start>) => {
        count(1);
        return start(...args);
      }) as typeof start;
      window.clearInterval = (id) => {
        count(-1);
        stop(id);
      };
      // What comes unasked stays while the test looks at it.
      const later = window.setTimeout.bind(window) as (...args: unknown[]) => number;
      window.setTimeout = ((work: () => void, delay?: number, ...rest: unknown[]) =>
        delay === 6000 ? 0 : later(work, delay, ...rest)) as typeof window.setTimeout;
    });
    const ann = await Visitor.open(context, gateway, "Ann");
    for (const n of [1, 2, 3, 4, 5, 6]) {
      await gateway.publish("notification:ann", {
        type: "notification",
        content: { title: `Order ${n} shipped`, body: "It arrives on Friday." },
      });
    }
    await gateway.publish("broadcast", {
      type: "system",
      content: { message: "Maintenance at noon", level: "warning", code: 1001 },
    });
    await ann.sees("Order 6 shipped");
    await ann.sees("Maintenance at noon");
    const unasked = ann.page.locator(".toast, .banners .el-alert");
    await until("only the latest are left", async () => (await unasked.count()) === 4);
    await ann.still();
    const places = await ann.page.evaluate(() => {
      const boxes = (of: string): DOMRect[] =>
        [...document.querySelectorAll(of)].map((e) => e.getBoundingClientRect());
      return {
        unasked: boxes(".toast, .banners .el-alert"),
        needed: boxes(".pill, .bar, .talk-head, .composer, .members"),
      };
    });
    expect(places.unasked).toHaveLength(4);
    expect(places.needed.length).toBeGreaterThan(3);
    const overlaps = places.unasked.flatMap((a) =>
      places.needed.filter(
        (b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1,
      ),
    );
    expect(overlaps).toEqual([]);
    const intervals = (): Promise<number> =>
      ann.page.evaluate(() => Number(document.documentElement.dataset["intervals"] ?? 0));
    await ann.button("Notifications, 6 unread").click();
    await ann.button("Mark as read").nth(5).waitFor();
    const open = await intervals();
    for (let n = 0; n < 6; n++) await ann.button("Mark as read").first().click();
    await ann.button("Mark as read").waitFor({ state: "hidden" });
    expect(await intervals(), "no timer for each line").toBeLessThanOrEqual(open);
    expect(open).toBeLessThan(6);
    await ann.page.getByText("Maintenance at noon").nth(1).waitFor(); // in the list too
    await until("the gateway is told", () => ann.sent.some((frame) => frame.includes('"type":"ack"')));
    await ann.page.reload();
    await ann.sees("Connected");
    await ann.page.waitForTimeout(1000); // what waits in the inbox has come, and none of it was unread
    expect(await ann.page.locator(".toast").count()).toBe(0);
  });

  test("offline one sees what is known, when it goes on, and can try at once", async ({
    demo,
    onTestFinished,
  }) => {
    const { device } = demo;
    const windows = { reconnect_window: "5m", reconnect_window_max: "5m" }; // nobody waits so long
    const gateway = await Gateway.start(inject("redis"), `${randomUUID()}:`, { ...demoSettings, ...windows });
    onTestFinished(() => gateway.stop());
    const ann = await Visitor.open(await device(), gateway, "Ann");
    const bob = await Visitor.open(await device(), gateway, "Bob");
    const coffee = ann.page.getByRole("button", { name: /^Coffee/ });
    await bob.page.getByRole("button", { name: "Coffee", exact: true }).click();
    await bob.write("black, please");
    await coffee.getByText("1").waitFor();
    await ann.page.evaluate(() => (Math.random = () => 0.99));
    await gateway.stop();
    await ann.sees("Offline");
    await ann.page.getByText(/^next attempt in \d+ s$/).waitFor();
    expect(await ann.page.locator(".presence.online").count(), "nobody is known to be online").toBe(0);
    await coffee.click();
    await ann.page.getByRole("heading", { name: "Coffee" }).waitFor();
    expect(await ann.lines()).toEqual(["black, please"]);
    await ann.page.getByRole("button", { name: "Lobby", exact: true }).click();
    await ann.write("are we down?");
    await coffee.click();
    await ann.page.getByRole("button", { name: "Lobby", exact: true }).click();
    await ann.sees("is sent when the connection is back");
    await gateway.start();
    await ann.page.evaluate(() => (Math.random = () => 0.99));
    while (await ann.button("Try now").isVisible())
      await ann
        .button("Try now")
        .click({ timeout: 1000 })
        .catch(() => undefined);
    await ann.sees("Connected");
    await until("it was sent", async () => (await ann.page.locator(".line-fate").count()) === 0);
    await ann.button("Leave Coffee").click();
    await coffee.waitFor({ state: "detached" });
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
