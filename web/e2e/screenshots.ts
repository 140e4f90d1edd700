/**
 * Takes the pictures of the demo and the console in docs/: `npm run screenshots`. It needs bin/gateway, redis-server,
 * chromium, and fonts with all the letters (fonts-inter, fonts-wqy-microhei, fonts-noto-color-emoji).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject, test } from "vitest";
import { launch } from "./browser.ts";
import { Operator, call, consoleSettings } from "./console.ts";
import { Visitor, demoSettings } from "./demo.ts";
import { still } from "./inspect.ts";
import { Peer } from "./peer.ts";
import { Gateway, token, until } from "./processes.ts";

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

/** What the console's pictures show at work. */
interface Fleet {
  gateways: [Gateway, Gateway, Gateway];
  peers: Peer[];
  rooms: string[];
}

/** Publishes into rooms as backends do, in waves, until it is told to end. */
async function traffic({ gateways, rooms }: Fleet, ended: () => boolean): Promise<void> {
  const text = "The price of tea has changed. ".repeat(4);
  for (let n = 0; !ended(); n++) {
    const wave = 1 + Math.round(7 + 5 * Math.sin(n / 40) + 2 * Math.sin(n / 7));
    const say = (room: string): object[] =>
      Array.from({ length: wave }, () => ({
        channel: `room:${room}`,
        message: { type: "room_message", content: { text } },
      }));
    const prices = Array.from({ length: 6 }, () => ({
      channel: "room:ticker:tea",
      message: { type: "room_message", content: { text: "x".repeat(16_000) } },
    }));
    const gateway = gateways[n % 3] ?? gateways[0];
    await call(gateway, "publish/batch", { messages: [...rooms.flatMap(say), ...prices] });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Has clients misbehave, come and go, as they do. */
async function life({ gateways, peers }: Fleet, ended: () => boolean): Promise<void> {
  for (let n = 0; !ended(); n++) {
    const gateway = gateways[n % 3] ?? gateways[0];
    if (n % 3 === 0) await fetch(`http://127.0.0.1:${gateway.port}/ws?token=wrong`);
    if (n % 7 === 0) await fetch(`http://127.0.0.1:${gateway.port}/ws?token=${token("late", -60)}`);
    const peer = peers[n % peers.length];
    if (n % 2 === 0) peer?.send({ type: "room_message", room: "chat:closed", content: "x" });
    if (n % 5 === 0) peer?.send({ type: "dance" });
    const guest = await Peer.open(gateway, { user: `guest${n % 9}`, device: "web", rooms: ["chat:lobby"] });
    if (n % 4 === 0) await call(gateway, `users/guest${n % 9}/disconnect`, { device_id: "web" });
    setTimeout(() => guest.socket.close(1000), 2000 + 700 * (n % 9));
    await new Promise((resolve) => setTimeout(resolve, 900));
  }
}

async function fleet(): Promise<Fleet> {
  const settings = {
    ...consoleSettings,
    "engine.origins": new URL(inject("pages")).origin,
    "namespaces.ticker.delivery.class": "drop",
    "namespaces.ticker.delivery.max_age": "2s",
  };
  const start = (node: string): Promise<Gateway> =>
    Gateway.start(inject("redis"), "console:", { ...settings, node });
  const gateways = await Promise.all([start("node-1"), start("node-2"), start("node-3")]);
  const rooms = ["chat:tea", "chat:lobby", "game:7"];
  const peers: Peer[] = [];
  const names = ["Ann", "Anton", "Bob", "Cid", "Dora", "Eve", "Finn", "Gus", "Hana", "李雷", "June", "Kai"];
  for (const [i, name] of names.entries()) {
    const user = name === "李雷" ? "lilei" : name.toLowerCase();
    for (const [j, device] of ["laptop", "phone"].entries()) {
      peers.push(await Peer.open(gateways[(i + j) % 3] ?? gateways[0], { user, name, device, rooms }));
    }
  }
  for (const [i, user] of ["hana", "kai"].entries()) {
    const tv = await Peer.open(gateways[1 + i] ?? gateways[0], { user, device: "tv", rooms: ["ticker:tea"] });
    tv.stall();
  }
  return { gateways, peers, rooms };
}

test("the console has its pictures taken", async () => {
  const all = await fleet();
  const [first] = all.gateways;
  let over = false;
  const busy = Promise.all([traffic(all, () => over), life(all, () => over)]);
  const browser = await launch();
  const open = async (options: object): Promise<Operator> =>
    Operator.open(await browser.newContext({ locale: "en-US", ...options }), first);
  const wide = { viewport: { width: 1360, height: 900 } };
  const desktop = await open(wide);
  const dark = await open({ ...wide, colorScheme: "dark" });
  const onPhone = await open(phone);
  await new Promise((resolve) => setTimeout(resolve, Number(process.env["SECONDS_OF_LIFE"] ?? "150") * 1000));

  for (const operator of [desktop, dark]) {
    await operator.find("an");
    await operator.page.getByRole("button", { name: /^ann / }).click();
    await operator.sees("Devices of ann");
    await operator.page.getByRole("button", { name: "Test notification to ann" }).click();
    await operator.page.getByLabel("The beginning of a room's name").fill("chat:");
    await operator.page.getByLabel("The beginning of a room's name").press("Enter");
    await operator.page.getByRole("button", { name: /^chat:tea/ }).click();
    await until("the trace is there", async () => (await operator.trace()).length > 4);
    await operator.page.getByText("Sent. The trace follows it.").waitFor({ state: "hidden" });
  }
  const shoot = async (operator: Operator, name: string, fullPage = false): Promise<void> => {
    await operator.page.mouse.move(2, 2);
    await operator.page.evaluate(() => window.scrollTo(0, 0));
    await still(operator.page);
    await operator.page.screenshot({ path: join(docs, `${name}.png`), fullPage });
  };
  await shoot(desktop, "console-desktop", true);
  await shoot(dark, "console-dark", true);
  await shoot(onPhone, "console-phone");
  over = true;
  await busy;
  await browser.close();
  await Promise.all(all.gateways.map((gateway) => gateway.stop()));
  for (const { socket } of all.peers) socket.terminate();
}, 400_000);
