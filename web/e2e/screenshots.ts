/**
 * Takes the pictures of the demo page in docs/: `npm run screenshots`. It needs bin/gateway, redis-server,
 * chromium, and a font with Chinese letters (fonts-wqy-microhei).
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject, test } from "vitest";
import { launch } from "./browser.ts";
import { Visitor, demoSettings } from "./demo.ts";
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
  await gateway.publish("notification:ann", {
    type: "notification",
    content: { title: "Order shipped", body: "It arrives on Friday." },
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
    await visitor.still();
    await visitor.page.screenshot({ path: join(docs, `${name}.png`) });
  }

  await browser.close();
  await gateway.stop();
});
