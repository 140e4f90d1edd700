import { describe, expect, test } from "vitest";
import { Series, causes, kept, turnedAway, type NodeFigures } from "../src/figures.ts";

/** The figures of a node, with what a test is about. */
function node(id: string, more: Partial<NodeFigures> = {}): NodeFigures {
  return {
    node: id,
    id,
    version: "v",
    state: "ready",
    uptime_seconds: 1,
    connections: 0,
    max_connections: 100,
    websockets: 0,
    accepted: 0,
    users: 0,
    rooms: 0,
    queue_bytes: 0,
    slow_connections: 0,
    bytes_out: 0,
    deliveries: { sent: 0, slow: 0, gone: 0 },
    slow_lost: {},
    handshakes: { ok: 0 },
    refusals: {},
    closes: {},
    redis: { kind: "standalone", connected: true, since: "", subscriptions: 0, queued_messages: 0 },
    ...more,
  };
}

const sent = (count: number): Partial<NodeFigures> => ({ deliveries: { sent: count, slow: 0, gone: 0 } });

describe("a series of figures", () => {
  test("adds up the nodes, and knows no rates at first", () => {
    const moment = new Series().add(
      {
        nodes: [node("a", { websockets: 3, users: 2, ...sent(500) }), node("b", { websockets: 4, users: 1 })],
      },
      1000,
    );
    expect(moment).toMatchObject({ connections: 7, users: 3, deliveries: 0 });
  });

  test("has rates per second, whatever the time between", () => {
    const series = new Series();
    series.add({ nodes: [node("a", sent(100)), node("b", sent(10))] }, 1000);
    expect(series.add({ nodes: [node("a", sent(300)), node("b", sent(20))] }, 3000).deliveries).toBe(105);
  });

  test("takes a counter that begins anew for no negative rate", () => {
    const series = new Series();
    series.add({ nodes: [node("a", sent(1000))] }, 1000);
    expect(series.add({ nodes: [node("a", sent(5))] }, 2000).deliveries).toBe(0);
  });

  test("does not count what a node has done before it came, or after it went", () => {
    const series = new Series();
    series.add({ nodes: [node("a", sent(10))] }, 1000);
    expect(series.add({ nodes: [node("a", sent(20)), node("b", sent(9999))] }, 2000).deliveries).toBe(10);
    expect(series.add({ nodes: [node("b", sent(10_004))] }, 3000).deliveries).toBe(5);
  });

  test("counts who is refused, who is slow, and who has no Redis, over all nodes and causes", () => {
    const series = new Series();
    series.add({ nodes: [node("a"), node("b")] }, 1000);
    const away = { kind: "standalone", connected: false, since: "", subscriptions: 0, queued_messages: 7 };
    const busy: Partial<NodeFigures> = {
      handshakes: { ok: 9, bad_token: 2, client_rate: 4 },
      refusals: { 403: 1, 4101: 2 },
      closes: { 1000: 3, 4102: 1 },
      slow_lost: { room_expired: 10 },
      slow_connections: 2,
    };
    expect(series.add({ nodes: [node("a", busy), node("b", { redis: away })] }, 2000)).toMatchObject({
      handshakes: 9,
      turnedAway: 6,
      refused: 3,
      closes: 4,
      dropped: 10,
      slow: 2,
      away: 1,
      queued: 7,
    });
  });

  test("shows the longest latency, and none when nobody has measured", () => {
    const series = new Series();
    expect(series.add({ nodes: [node("a")] }, 1000).p99).toBeUndefined();
    const slow = node("b", { latency: { samples: 3, p50_ms: 2, p99_ms: 9 } });
    const fast = node("c", { latency: { samples: 3, p50_ms: 1, p99_ms: 3 } });
    expect(series.add({ nodes: [node("a"), slow, fast] }, 2000)).toMatchObject({ p50: 2, p99: 9 });
  });

  test("forgets what is older than ten minutes", () => {
    const series = new Series();
    for (let second = 1; second <= kept + 50; second++) series.add({ nodes: [] }, second * 1000);
    expect(series.moments).toHaveLength(kept);
    expect(series.times[0]).toBe(51);
  });
});

test("causes are those that have occurred at any node, most frequent first", () => {
  const nodes = [
    node("a", { handshakes: { ok: 50, bad_token: 1, expired: 0 } }),
    node("b", { handshakes: { ok: 2, bad_token: 2, client_rate: 9 } }),
  ];
  expect(causes(nodes, turnedAway)).toEqual([
    { cause: "client_rate", count: 9 },
    { cause: "bad_token", count: 3 },
  ]);
});
