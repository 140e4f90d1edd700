import { describe, expect, test } from "vitest";
import {
  Series,
  causes,
  kept,
  mostFrequent,
  turnedAway,
  type Moment,
  type NodeFigures,
  type Overview,
} from "../src/figures.ts";

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
    redis: {
      kind: "standalone",
      connected: true,
      since: "",
      subscriptions: 0,
      queued_messages: 0,
      received: 0,
      published: 0,
    },
    ...more,
  };
}

const sent = (count: number): Partial<NodeFigures> => ({ deliveries: { sent: count, slow: 0, gone: 0 } });

/** What nodes say at a time, in milliseconds. */
const at = (at_ms: number, ...nodes: NodeFigures[]): Overview => ({ at_ms, nodes });

describe("a series of figures", () => {
  test("adds up the nodes, and knows no rates at first", () => {
    const moment = new Series().add(
      at(1000, node("a", { websockets: 3, users: 2, ...sent(500) }), node("b", { websockets: 4, users: 1 })),
    );
    expect(moment).toMatchObject({ connections: 7, users: 3, deliveries: 0 });
  });

  test("has rates per second, whatever the time between", () => {
    const series = new Series();
    series.add(at(1000, node("a", sent(100)), node("b", sent(10))));
    expect(series.add(at(3000, node("a", sent(300)), node("b", sent(20))))?.deliveries).toBe(105);
  });

  test("takes a counter that begins anew for no negative rate", () => {
    const series = new Series();
    series.add(at(1000, node("a", sent(1000))));
    expect(series.add(at(2000, node("a", sent(5))))?.deliveries).toBe(0);
  });

  test("does not count what a node has done before it came, or after it went", () => {
    const series = new Series();
    series.add(at(1000, node("a", sent(10))));
    expect(series.add(at(2000, node("a", sent(20)), node("b", sent(9999))))?.deliveries).toBe(10);
    expect(series.add(at(3000, node("b", sent(10_004))))?.deliveries).toBe(5);
  });

  test("goes on where the past ends, from which counters that are zero were left out", () => {
    const series = new Series();
    series.add(at(5000, node("a", { deliveries: {}, handshakes: {}, refusals: {} })));
    const next = node("a", { ...sent(8), handshakes: { ok: 4, expired: 2 }, refusals: { 4003: 6 } });
    expect(series.add(at(7000, next))).toMatchObject({
      deliveries: 4,
      handshakes: 2,
      refused: { expired: 1, 4003: 3 },
    });
    expect(series.add(at(6000, next))).toBeUndefined(); // what is older than that is of no use
    expect(series.times).toEqual([5, 7]);
  });

  test("counts who is refused and why, who is slow, and who has no Redis, over all nodes", () => {
    const series = new Series();
    series.add(at(1000, node("a"), node("b")));
    const away = {
      kind: "standalone",
      connected: false,
      since: "",
      subscriptions: 3,
      queued_messages: 7,
      received: 20,
      published: 10,
    };
    const busy: Partial<NodeFigures> = {
      handshakes: { ok: 9, bad_token: 2, client_rate: 4 },
      refusals: { 4003: 1, 4101: 2 },
      closes: { 1000: 3, 4102: 1 },
      slow_lost: { drop_expired: 10 },
      slow_connections: 2,
    };
    expect(
      series.add(at(2000, node("a", busy), node("b", { redis: away, refusals: { 4003: 4 } }))),
    ).toMatchObject({
      handshakes: 9,
      refused: { bad_token: 2, client_rate: 4, 4003: 5, 4101: 2 },
      closes: { 1000: 3, 4102: 1 },
      dropped: 10,
      slow: 2,
      away: 1,
      queued: 7,
      subscriptions: 3,
      received: 20,
      published: 10,
    });
  });

  test("takes rates by cause over the last ten seconds", () => {
    const series = new Series();
    const rates = Array.from({ length: 21 }, (_, second) => {
      const refusals = { 4003: Math.floor(second / 2) }; // one in two seconds
      return series.add(at(1000 * (second + 1), node("a", { refusals })))?.refused["4003"];
    });
    expect(rates.slice(11)).toEqual(Array.from({ length: 10 }, () => 0.5));
  });

  test("shows the longest latencies, and none when nobody has measured", () => {
    const series = new Series();
    const none = series.add(at(1000, node("a", { latency: {} })));
    expect([none?.p99, none?.roundTrip]).toEqual([undefined, undefined]);
    const slow = node("b", { latency: { bus_to_sockets: { samples: 3, p50_ms: 2, p99_ms: 9 } } });
    const fast = node("c", {
      latency: { bus_to_sockets: { samples: 3, p50_ms: 1, p99_ms: 3 }, redis_round_trip_ms: 4 },
    });
    expect(series.add(at(2000, node("a"), slow, fast))).toMatchObject({ p50: 2, p99: 9, roundTrip: 4 });
  });

  test("forgets what is older than ten minutes", () => {
    const series = new Series();
    for (let second = 1; second <= kept + 50; second++) series.add(at(second * 1000));
    expect(series.moments).toHaveLength(kept);
    expect(series.times[0]).toBe(51);
    series.add(at((kept + 50) * 1000 + 300_500));
    expect(series.times[0]).toBe(351);
  });
});

test("a plot has the most frequent causes of the time that it shows, and the others as one", () => {
  const moment = (refused: Record<string, number>): Moment => ({ refused }) as Moment;
  const of = (m: Moment): Record<string, number> => m.refused;
  const few = { times: [1, 2], moments: [moment({ b: 1, never: 0 }), moment({ a: 2 })] };
  expect(mostFrequent(few, of)).toEqual({ causes: ["a", "b"] });
  const many = { times: [1], moments: [moment({ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 })] };
  const { causes: top, rest } = mostFrequent(many, of);
  expect(top).toEqual(["f", "e", "d", "c"]);
  expect(rest?.(moment({ a: 1, b: 2, f: 100 }))).toBe(3);
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
