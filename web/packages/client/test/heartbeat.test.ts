import { beforeEach, expect, test, vi } from "vitest";
import { fakePage } from "./browser.js";
import { FakeGateway, message, pass } from "./fake.js";

let gateway: FakeGateway;

beforeEach(() => {
  vi.useFakeTimers();
  vi.setSystemTime(1_700_000_000_000);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  gateway = new FakeGateway();
});

/** The machine sleeps: the clock moves on, and no timer fires. */
function sleep(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds);
}

test("asks when nothing was heard for a ping interval", async () => {
  const client = gateway.client();
  void client.connect();
  await pass(25_000);
  expect(gateway.last.of("ping")).toHaveLength(0);
  await pass(1);
  expect(gateway.last.of("ping")).toHaveLength(1);
  await pass(25_000);
  expect(gateway.last.of("ping")).toHaveLength(2);
  expect(client.connected).toBe(true);
});

test("does not ask while something is heard", async () => {
  const client = gateway.client();
  void client.connect();
  for (let i = 0; i < 30; i++) {
    await pass(10_000);
    gateway.last.push(message("news"));
  }
  expect(gateway.last.of("ping")).toHaveLength(0);
  expect(client.connected).toBe(true);
});

test("gives up a connection that has died in silence", async () => {
  const client = gateway.client();
  void client.connect();
  await pass(10_000);
  gateway.last.dead = true;
  await pass(24_990);
  expect(client.connected).toBe(true);
  await pass(20);
  expect(client.state).toBe("waiting");
  await pass(2_501);
  expect(client.connected).toBe(true);
  expect(gateway.sockets).toHaveLength(2);
});

test("finds out within seconds that the connection has died while the machine slept", async () => {
  const client = gateway.client();
  void client.connect();
  await pass(1000);
  gateway.last.dead = true;
  sleep(3_600_000);
  await pass(24_001); // the timer that was waiting fires, an hour late
  await pass(5_001);
  await pass(5);
  expect(gateway.sockets).toHaveLength(2);
  expect(client.connected).toBe(true);
});

test("asks at once when the page is shown again", async () => {
  const page = fakePage();
  const client = gateway.client();
  void client.connect();
  await pass(1000);
  gateway.last.dead = true;
  page.happens("visibilitychange");
  await pass(5_001);
  await pass(5);
  expect(gateway.sockets).toHaveLength(2);
  expect(client.connected).toBe(true);
});

test("does not take a timer that the browser held back for silence", async () => {
  const client = gateway.client();
  void client.connect();
  await pass(25_001);
  // The answer to this ping is in the queue behind the timer, which fires a minute late.
  gateway.intercept = () => true;
  await pass(25_000);
  expect(gateway.last.of("ping").length).toBeGreaterThan(0);
  sleep(60_000);
  await pass(10_001);
  expect(client.connected).toBe(true);
  gateway.last.push({ type: "pong" });
  await pass(2_001);
  expect(client.connected).toBe(true);
  expect(gateway.sockets).toHaveLength(1);
});

test("a tab whose timers fire once a minute stays connected, and finds a dead connection too", async () => {
  const client = gateway.client();
  void client.connect();
  await pass(1);
  const socket = gateway.last;
  for (let minute = 0; minute < 10; minute++) {
    sleep(35_000);
    await pass(25_000);
    expect(client.connected).toBe(true);
  }
  expect(gateway.sockets).toHaveLength(1);
  socket.dead = true;
  for (let minute = 0; minute < 5; minute++) {
    sleep(35_000);
    await pass(25_000);
  }
  expect(gateway.sockets.length).toBeGreaterThan(1);
});
