import { ElMessage, ElNotification } from "element-plus";
import { beforeEach, expect, test, vi } from "vitest";
import { createSSRApp } from "vue";
import { createI18n } from "vue-i18n";
import { renderToString } from "vue/server-renderer";
import { FakeGateway, pass } from "../../../packages/client/test/fake.js";
import { useNotices } from "../src/notices.ts";

vi.mock("element-plus", () => ({ ElMessage: vi.fn(), ElNotification: vi.fn() }));

const messages = { en: { update: { title: "{entity} {action}", text: "{entity} {id} has changed" } } };

let gateway: FakeGateway;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.mocked(ElMessage).mockReset();
  vi.mocked(ElNotification).mockReset();
  gateway = new FakeGateway();
  const client = gateway.client();
  void client.connect();
  await pass(1);
  const page = createSSRApp({
    setup() {
      useNotices(client);
      return () => null;
    },
  });
  await renderToString(page.use(createI18n({ legacy: false, locale: "en", messages })));
});

test.each([
  ["warning", "warning"],
  ["error", "error"],
  ["unheard-of", "info"],
  [undefined, "info"],
])("a system message of level %s is a banner of type %s", (level, type) => {
  gateway.last.push({ type: "system", content: { message: "Back at nine.", ...(level && { level }) } });
  expect(ElMessage).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ message: "Back at nine.", type, showClose: true }),
  );
});

test("changed data is a toast that says what has changed", () => {
  gateway.last.push({ type: "data_update", content: { entity: "user", action: "create", id: "7" } });
  expect(ElNotification).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ title: "user create", message: "user 7 has changed" }),
  );
});

test("a notification is shown once, and not again when it was read on another device", () => {
  const content = { title: "Order shipped", body: "Friday." };
  gateway.last.push({ type: "notification", content });
  gateway.last.push({ type: "notification", content, data: { read: true } });
  expect(ElNotification).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ title: "Order shipped", message: "Friday." }),
  );
});
