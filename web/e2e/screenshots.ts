/**
 * Takes the pictures of the demo and the console in docs/: `npm run screenshots`. It needs bin/gateway, redis-server,
 * chromium, and fonts with all the letters (fonts-inter, fonts-wqy-microhei, fonts-noto-color-emoji).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject, test } from "vitest";
import { Tab, launch } from "./browser.ts";
import { Operator, apiKey, consoleSettings } from "./console.ts";
import { Visitor, demoSettings } from "./demo.ts";
import { still } from "./inspect.ts";
import { Gateway, until } from "./processes.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

test("the demo page has its pictures taken", async () => {
  const gateway = await Gateway.start(inject("redis"), "docs:", { ...demoSettings, node: "node-1" });
  const browser = await launch();
  const ann = await Visitor.open(
    await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 800 } }),
    gateway,
    "Ann",
  );
  const bob = await Visitor.open(await browser.newContext({ locale: "en-US", ...phone }), gateway, "Bob");
  const lei = await Visitor.open(
    await browser.newContext({
      locale: "en-US",
      colorScheme: "dark",
      viewport: { width: 1280, height: 800 },
    }),
    gateway,
    "李雷",
  );
  await lei.button("中文").click();
  await lei.sees("已连接");

  const zh = async (text: string): Promise<void> => {
    const box = lei.page.getByPlaceholder("输入消息");
    await box.fill(text);
    await box.press("Enter");
    await lei.sees(text);
  };

  await ann.write("Good morning! Is the new release out?");
  await bob.sees("Good morning! Is the new release out?");
  await bob.write("It is rolling out now, node by node. Nobody should notice a thing.");
  await ann.sees("It is rolling out now, node by node. Nobody should notice a thing.");
  await zh("我在地铁里断线了两分钟，一条消息都没丢。");
  await ann.sees("我在地铁里断线了两分钟，一条消息都没丢。");
  await ann.write("Same here: my train came out of a tunnel, and the room was complete. 👏");
  await bob.sees("Same here: my train came out of a tunnel, and the room was complete. 👏");
  await bob.page.getByRole("button", { name: "Who is here" }).waitFor();
  await bob.write("Lunch at half past twelve?");
  await lei.sees("Lunch at half past twelve?");
  await lei.member("Ann").click();
  await zh("中午一起吃饭吗？");
  await lei.page.getByRole("button", { name: "大厅", exact: true }).click();
  await lei.sees("Lunch at half past twelve?");
  for (const text of ["The machine is repaired.", "Who took the last beans?"]) {
    await gateway.publish("room:chat:coffee", { type: "room_message", from_name: "Gus", content: { text } });
  }
  await ann.button("Coffee 2").waitFor();
  await ann.button("李雷 1").waitFor();
  await gateway.publish("notification:ann", {
    type: "notification",
    content: { title: "Order shipped", body: "It arrives on Friday.", icon: "Van" },
  });
  await ann.button("Notifications, 1 unread").waitFor();
  await ann.sees("Order shipped");
  await until(
    "all are shown to be here",
    async () => (await ann.page.locator(".members .person").count()) === 3,
  );

  for (const [visitor, name] of [
    [ann, "demo-desktop"],
    [bob, "demo-phone"],
    [lei, "demo-dark"],
  ] as const) {
    await visitor.page.mouse.move(600, 200);
    await visitor.still();
    await visitor.page.screenshot({ path: join(docs, `${name}.png`) });
  }

  await browser.close();
  await gateway.stop();
});

/** Publishes into rooms as backends do, so that there is something to see. */
async function traffic(gateways: Gateway[], rooms: string[], seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (let n = 0; Date.now() < end; n++) {
    const gateway = gateways[n % gateways.length];
    const messages = rooms.flatMap((room) =>
      Array.from({ length: 1 + Math.round(6 + 5 * Math.sin(n / 9)) }, () => ({
        channel: `room:${room}`,
        message: { type: "room_message", content: { text: "The price of tea has changed.".repeat(4) } },
      })),
    );
    await fetch(`http://127.0.0.1:${gateway?.adminPort}/api/v1/publish/batch`, {
      method: "POST",
      headers: { "X-API-Key": apiKey },
      body: JSON.stringify({ messages }),
    });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

test("the console has its pictures taken", async () => {
  const redis = inject("redis");
  const settings = { ...consoleSettings, "engine.origins": new URL(inject("pages")).origin };
  const gateways = await Promise.all(
    ["node-1", "node-2", "node-3"].map((node) => Gateway.start(redis, "console:", { ...settings, node })),
  );
  const [first, second] = gateways;
  if (!first || !second) throw new Error("there are no gateways");
  const browser = await launch();
  const rooms = ["chat:tea", "chat:lobby", "game:7"];
  const open = async (options: object): Promise<Operator> =>
    Operator.open(await browser.newContext({ locale: "en-US", ...options }), first);
  const desktop = await open({ viewport: { width: 1360, height: 1570 } });
  const dark = await open({ viewport: { width: 1360, height: 1570 }, colorScheme: "dark" });
  const onPhone = await open(phone);

  const visitors = await browser.newContext();
  const names = ["Ann", "Bob", "Cid", "Dora", "Eve", "Finn", "Gus", "Hana", "李雷", "June"];
  const busy = traffic(gateways, rooms, 100);
  for (const [i, name] of names.entries()) {
    const user = name === "李雷" ? "lilei" : name.toLowerCase();
    for (const [j, device] of ["laptop", "phone"].entries()) {
      const gateway = gateways[(i + j) % gateways.length] ?? first;
      const url = `ws://127.0.0.1:${gateway.port}/ws`;
      await Tab.open(visitors, inject("pages"), { url, user, name, device, rooms });
    }
    if (i === 5) await fetch(`http://127.0.0.1:${second.port}/ws?token=wrong`);
    await new Promise((resolve) => setTimeout(resolve, 4000));
  }
  for (const operator of [desktop, dark]) {
    await operator.find("ann");
    await operator.page.getByRole("button", { name: "Test notification" }).click();
    await operator.page.getByLabel("The beginning of a room's name").fill("chat:");
    await operator.page.getByLabel("The beginning of a room's name").press("Enter");
    await operator.page.getByRole("button", { name: /^chat:tea/ }).click();
    await until("the trace is there", async () => (await operator.trace()).length > 4);
  }
  await busy;
  for (const [operator, name] of [
    [desktop, "console-desktop"],
    [dark, "console-dark"],
    [onPhone, "console-phone"],
  ] as const) {
    await operator.page.mouse.move(2, 2);
    await still(operator.page);
    await operator.page.screenshot({ path: join(docs, `${name}.png`) });
  }
  await browser.close();
  await Promise.all(gateways.map((gateway) => gateway.stop()));
}, 240_000);
