import { IDBFactory, IDBObjectStore } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { FakeLocks, fakeBrowser } from "./browser.js";
import { FakeGateway, token } from "./fake.js";
import { openStore, type Store, type Stored } from "../src/store.js";
import { claims } from "../src/token.js";
import type { GatewayClient } from "@ginforge/gateway-client";

const item = (n: number): Stored => ({
  id: `id${n}`,
  at: n,
  frame: { type: "room_message", id: `id${n}`, content: n },
});

/** One tab: its store, and what it has taken over. */
interface Tab {
  store: Store;
  restored: number[];
}

function open(scope = "ann gateway"): Tab {
  const restored: number[] = [];
  return { restored, store: openStore(scope, ({ at }) => restored.push(at)) };
}

/**
 * IndexedDB answers in its own time; the tests wait until there is nothing left to do. That takes
 * some turns of the event loop, however long a busy machine takes for one.
 */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
};

beforeEach(() => {
  fakeBrowser();
  vi.stubGlobal("indexedDB", new IDBFactory());
});

test("what was not acknowledged is there after a reload", async () => {
  const before = open();
  for (const n of [1, 2, 3]) before.store.put(item(n));
  before.store.delete("id2");
  await settle();
  before.store.close();
  const after = open();
  await settle();
  expect(after.restored.sort()).toEqual([1, 3]);
});

test("what was put first is taken over first, whatever its id", async () => {
  const before = open();
  for (const n of [1, 2, 3]) before.store.put({ ...item(n), id: `id${9 - n}` });
  await settle();
  before.store.close();
  const after = open();
  await settle();
  expect(after.restored).toEqual([1, 2, 3]);
});

test("a tab leaves alone what belongs to one that is alive, and takes it over when that goes", async () => {
  const first = open();
  first.store.put(item(1));
  await settle();
  const [second, third] = [open(), open()];
  await settle();
  expect([...second.restored, ...third.restored]).toEqual([]);
  first.store.close();
  await settle();
  expect([...second.restored, ...third.restored]).toEqual([1]);
});

test("users do not see each other's", async () => {
  const ann = open();
  ann.store.put(item(1));
  await settle();
  ann.store.close();
  const bob = open("bob gateway");
  await settle();
  expect(bob.restored).toEqual([]);
});

test("what is just being taken over when its user goes is left to who opens the store next", async () => {
  const before = open();
  for (const n of [1, 2]) before.store.put(item(n));
  await settle();
  before.store.close();
  const after = open();
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementationOnce(function (this: IDBObjectStore, row) {
    after.store.close();
    return this.put(row);
  });
  await settle();
  expect(after.restored).toEqual([]);
  const next = open();
  await settle();
  expect(next.restored.sort()).toEqual([1, 2]);
});

test("without Web Locks everything that is found is taken over", async () => {
  const before = open();
  before.store.put(item(1));
  await settle();
  vi.stubGlobal("navigator", {});
  const after = open();
  await settle();
  expect(after.restored).toEqual([1]);
});

test("without IndexedDB nothing breaks", async () => {
  vi.stubGlobal("indexedDB", undefined);
  const tab = open();
  tab.store.put(item(1));
  tab.store.delete("id1");
  await settle();
  expect(tab.restored).toEqual([]);
});

test("a client sends after a reload what its page had queued, in order and before what is newer", async () => {
  const gateway = new FakeGateway();
  const options = { queue: { persist: true } };
  gateway.accept = () => undefined;
  const before = gateway.client(options);
  void before.sendToRoom("r", 1);
  void before.connect();
  void before.sendToRoom("r", 2);
  await settle();
  await settle();
  leave(before);

  const taken: unknown[] = [];
  gateway.intercept = (_, { type, content }) => {
    if (type === "room_message") taken.push(content);
    return false;
  };
  const after = gateway.client(options);
  void after.connect();
  await settle();
  await settle();
  void after.sendToRoom("r", 3);
  gateway.welcome(gateway.last);
  await settle();
  expect(taken).toEqual([1, 2, 3]);

  leave(after);
  const again = gateway.client({ ...options, token: token() });
  void again.connect();
  await settle();
  gateway.welcome(gateway.last);
  await settle();
  expect(taken).toEqual([1, 2, 3]);
});

test("what a user has left does not go out as another, who came while the store was loaded", async () => {
  const gateway = new FakeGateway();
  gateway.accept = () => undefined;
  const before = gateway.client({ queue: { persist: true } });
  void before.connect();
  void before.sendToRoom("r", "ann's");
  await settle();
  await settle();
  leave(before);

  gateway.accept = (socket) => gateway.welcome(socket);
  const taken: unknown[] = [];
  gateway.intercept = ({ token: by }, { type, content }) => {
    if (type === "room_message") taken.push([claims(by ?? "").user, content]);
    return false;
  };
  let loads = 0;
  const queue = {
    /** Is looked at right before the store is loaded. */
    get persist(): boolean {
      if (++loads === 1) queueMicrotask(() => void client.connect(token("bob")));
      return true;
    },
  };
  const client = gateway.client({ queue });
  void client.connect();
  await settle();
  void client.sendToRoom("r", "bob's");
  await settle();
  expect(loads).toBe(2);
  expect(taken).toEqual([["bob", "bob's"]]);
  void client.connect(token("ann"));
  await settle();
  expect(taken.slice(1)).toEqual([["ann", "ann's"]]);
});

/** The page goes away: its locks are released, and nothing that it does counts any more. */
function leave(client: GatewayClient): void {
  vi.stubGlobal("navigator", { locks: new FakeLocks() });
  client.disconnect();
}
