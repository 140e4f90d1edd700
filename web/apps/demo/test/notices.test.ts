import { beforeEach, describe, expect, test, vi } from "vitest";
import { createSSRApp } from "vue";
import { createI18n } from "vue-i18n";
import { renderToString } from "vue/server-renderer";
import type { GatewayClient } from "@ginforge/gateway-client";
import { useNotifications } from "@ginforge/gateway-vue";
import { FakeGateway, pass } from "../../../packages/client/test/fake.js";
import { iconOf, linkOf } from "../src/icons.ts";
import { useNotices } from "../src/notices.ts";
import { useSharedRead } from "../src/read.ts";
import { ago } from "../src/time.ts";

const messages = {
  en: {
    bell: { waiting: "{count} unread notification | {count} unread notifications" },
    update: {
      title: "{entity} {id} {action}",
      text: "reload",
      actions: { create: "was created" },
      entities: { user: "User" },
    },
  },
};

let gateway: FakeGateway;
let client: GatewayClient;
let notices: ReturnType<typeof useNotices>;
let notifications: ReturnType<typeof useNotifications>;
let markRead: ReturnType<typeof useSharedRead>;

const note = (offset?: number, more = {}): object => ({
  content: { title: `n${offset}`, body: "Friday." },
  ...(offset !== undefined && { offset }),
  ...more,
});
const comes = (frame: object): void => gateway.last.push({ type: "notification", ...frame });
const titles = (): string[] => notices.toasts.value.map(({ title }) => title);

beforeEach(async () => {
  vi.useFakeTimers();
  gateway = new FakeGateway();
  gateway.inbox = { epoch: "i1", offset: 3 };
  client = gateway.client({ autoAck: false });
  void client.connect();
  await pass(1);
  const page = createSSRApp({
    setup() {
      notifications = useNotifications({ client });
      notices = useNotices(client, () => notifications.unread.value);
      markRead = useSharedRead(client, "ann", notifications);
      return () => null;
    },
  });
  await renderToString(page.use(createI18n({ legacy: false, locale: "en", messages })));
});

describe("a system message", () => {
  test.each([
    ["warning", "warning"],
    ["error", "error"],
    ["unheard-of", "info"],
    [undefined, "info"],
  ])("of level %s is a banner of type %s that stays until it is closed", async (level, type) => {
    gateway.last.push({ type: "system", content: { message: "Back at nine.", ...(level && { level }) } });
    await pass(60_000);
    expect(notices.banners.value).toMatchObject([{ text: "Back at nine.", level: type }]);
    notices.dismiss(notices.banners.value[0]?.key ?? 0);
    expect(notices.banners.value).toEqual([]);
    expect(notices.notices.value, "it is still in the list").toHaveLength(1);
  });

  test("is one of a few", () => {
    for (let n = 0; n < 50; n++) gateway.last.push({ type: "system", content: { message: `${n}` } });
    expect(notices.banners.value.map(({ text }) => text)).toEqual(["47", "48", "49"]);
    expect(notices.notices.value).toHaveLength(20);
  });
});

describe("changed data", () => {
  test.each([
    [{ entity: "user", action: "create", id: "7" }, "User 7 was created"],
    [{ entity: "tariff", action: "freeze", id: "9" }, "tariff 9 freeze"],
  ])("%j is a toast that says so, for a while", async (content, title) => {
    gateway.last.push({ type: "data_update", content });
    expect(notices.toasts.value).toMatchObject([{ title, text: "reload" }]);
    await pass(6000);
    expect(notices.toasts.value).toEqual([]);
  });
});

describe("a notification", () => {
  test("is a toast when it is new, and none when it was read on another device", () => {
    comes(note(4, { content: { title: "Order shipped", body: "Friday.", icon: "Van" } }));
    comes(note(5, { data: { read: true } }));
    expect(notices.toasts.value).toMatchObject([{ title: "Order shipped", text: "Friday.", icon: "Van" }]);
  });

  test("that comes again with every visit is no toast: there is one with the number", async () => {
    for (const n of [1, 2, 3]) comes(note(n));
    expect(titles()).toEqual([]);
    await pass(500);
    expect(titles()).toEqual(["3 unread notifications"]);
  });

  test("that was read elsewhere in the meantime is not in that number", async () => {
    for (const n of [1, 2]) comes(note(n, { data: { notification_id: `id${n}`, read: false } }));
    gateway.last.push({ type: "user_message", offset: 3, from: "ann", content: { read: ["id1", "id2"] } });
    await pass(500);
    expect(titles()).toEqual([]);
    expect(notifications.unread.value).toBe(0);
    expect(gateway.last.of("ack"), "this device has read it too").toEqual([
      { type: "ack", content: { offset: 2 } },
    ]);
  });

  test("that is read here is read on the user's other devices, and nobody else may say so", () => {
    comes(note(4, { data: { notification_id: "id4", read: false } }));
    gateway.last.push({ type: "user_message", from: "bob", content: { read: ["id4"] } });
    expect(notifications.unread.value).toBe(1);
    markRead(["id4"]);
    expect(notifications.unread.value).toBe(0);
    expect(gateway.last.of("user_message")).toMatchObject([{ to: "ann", content: { read: ["id4"] } }]);
  });
});

test.each([
  ["/reports/7", "https://gw.test/reports/7"],
  ["https://shop.test/o/1", "https://shop.test/o/1"],
  ["javascript:alert(1)", undefined],
  ["https://", undefined],
  [undefined, undefined],
])("the link %s leads to %s", (link, to) => {
  expect(linkOf(link, "https://gw.test/app/")).toBe(to);
});

test("an icon that the page has not is a bell", () => {
  expect(iconOf("Van")).not.toBe(iconOf("Bell"));
  for (const name of [undefined, "Nobody"]) expect(iconOf(name)).toBe(iconOf("Bell"));
});

test.each([
  [0, "now", "现在"],
  [59, "now", "现在"],
  [60, "1 minute ago", "1分钟前"],
  [7300, "2 hours ago", "2小时前"],
  [86_400, "yesterday", "昨天"],
  [-5, "now", "现在"],
])("%i seconds ago is %s, and %s", (seconds, en, zh) => {
  expect(ago(0, seconds * 1000, "en")).toBe(en);
  expect(ago(0, seconds * 1000, "zh")).toBe(zh);
});
