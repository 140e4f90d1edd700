/** The numbers of a node, as /api/v1/stats has them; counters count from its start. */
export interface NodeFigures {
  node: string;
  id: string;
  version: string;
  state: string;
  uptime_seconds: number;
  connections: number;
  max_connections: number;
  websockets: number;
  accepted: number;
  users: number;
  rooms: number;
  queue_bytes: number;
  slow_connections: number;
  bytes_out: number;
  deliveries: Record<string, number>;
  slow_lost: Record<string, number>;
  handshakes: Record<string, number>;
  refusals: Record<string, number>;
  closes: Record<string, number>;
  redis: RedisFigures;
  /** What was not measured lately is not there. */
  latency?: {
    /** Of real messages, from being read from Redis to being handed to the sockets. */
    bus_to_sockets?: { samples: number; p50_ms: number; p99_ms: number };
    /** Of a probe, from being published to being read. */
    redis_round_trip_ms?: number;
  };
  process?: { memory_bytes: number; cpu_seconds: number; goroutines: number };
  /** The connections for which most waits. */
  slow?: SlowConnection[];
}

export interface RedisFigures {
  kind: string;
  connected: boolean;
  since: string;
  subscriptions: number;
  queued_messages: number;
  received: number;
  published: number;
}

/** A connection that reads too slowly. */
export interface SlowConnection {
  user_id: string;
  device_id?: string;
  client_id: string;
  bytes: number;
  since: string;
}

/** What the gateway sends a console each second. */
export interface Overview {
  /** By the clock of the node that sends it, in milliseconds. */
  at_ms: number;
  nodes: NodeFigures[];
  missing_nodes?: string[];
  /** The other nodes could not be asked. */
  partial?: boolean;
}

/** What is plotted, of one moment. Rates are per second, since the moment before. */
export interface Moment {
  connections: number;
  users: number;
  rooms: number;
  deliveries: number;
  handshakes: number;
  /** Handshakes turned away and frames refused, by cause. */
  refused: Record<string, number>;
  /** Close frames sent, by code. */
  closes: Record<string, number>;
  bytes: number;
  /** Connections close to their limit, and messages that were not sent to slow ones. */
  slow: number;
  dropped: number;
  /** Nodes that have no Redis, and messages that wait for it. */
  away: number;
  queued: number;
  subscriptions: number;
  /** Messages from and to Redis. */
  received: number;
  published: number;
  /** Milliseconds; of the node where it is the longest. `undefined`: nobody has measured. */
  p50: number | undefined;
  p99: number | undefined;
  roundTrip: number | undefined;
  /** Cores in use, of all nodes. */
  cpu: number;
  memory: number;
  goroutines: number;
}

/** A line of a plot. */
export interface Line {
  /** What of each moment is plotted. */
  of: (moment: Moment) => number | undefined;
  /** What it is called, where there are several. */
  name?: string;
}

/** One or more lines over time. */
export interface Plot {
  title: string;
  lines: Line[];
  format?: (value: number) => string;
  /** The values are bytes. */
  binary?: boolean;
  /** What to say while nothing of it has happened. */
  none?: string;
}

/** For how many seconds moments are kept. */
export const kept = 600;

/** What is behind the plots: the latest moments, and their times in seconds. */
export interface History {
  readonly times: readonly number[];
  readonly moments: readonly Moment[];
}

/** Makes a history of what nodes say. */
export class Series implements History {
  readonly times: number[] = [];
  readonly moments: Moment[] = [];
  /** Of each node, what it has said last. */
  #before = new Map<string, NodeFigures>();
  #at = 0;
  /** What was said in the last seconds, oldest first. */
  #lately: Overview[] = [];

  /** Takes what all nodes say. What is older than what came before is of no use. */
  add(overview: Overview): Moment | undefined {
    const at = overview.at_ms;
    if (at <= this.#at) return undefined;
    const seconds = (at - this.#at) / 1000;
    this.#lately = this.#lately.filter(({ at_ms }) => at - at_ms <= smoothed * 1000);
    const rate = (of: (node: NodeFigures) => number | undefined): number =>
      sum(overview.nodes, (node) => grown(of(node), this.#before.get(node.id), of)) / seconds;
    const rates = (of: (node: NodeFigures) => Record<string, number>): Record<string, number> =>
      Object.fromEntries(
        causes(overview.nodes, of).map(({ cause }) => [
          cause,
          this.#smooth(overview, (node) => of(node)[cause] ?? 0),
        ]),
      );
    const moment: Moment = {
      connections: sum(overview.nodes, (node) => node.websockets),
      users: sum(overview.nodes, (node) => node.users),
      rooms: sum(overview.nodes, (node) => node.rooms),
      deliveries: rate((node) => node.deliveries["sent"] ?? 0),
      handshakes: rate((node) => node.handshakes["ok"] ?? 0),
      refused: rates(refused),
      closes: rates((node) => node.closes),
      bytes: rate((node) => node.bytes_out),
      slow: sum(overview.nodes, (node) => node.slow_connections),
      dropped: rate((node) => all(node.slow_lost)),
      away: sum(overview.nodes, (node) => (node.redis.connected ? 0 : 1)),
      queued: sum(overview.nodes, (node) => node.redis.queued_messages),
      subscriptions: sum(overview.nodes, (node) => node.redis.subscriptions),
      received: rate((node) => node.redis.received),
      published: rate((node) => node.redis.published),
      p50: longest(overview.nodes, (node) => node.latency?.bus_to_sockets?.p50_ms),
      p99: longest(overview.nodes, (node) => node.latency?.bus_to_sockets?.p99_ms),
      roundTrip: longest(overview.nodes, (node) => node.latency?.redis_round_trip_ms),
      cpu: rate((node) => node.process?.cpu_seconds),
      memory: sum(overview.nodes, (node) => node.process?.memory_bytes ?? 0),
      goroutines: sum(overview.nodes, (node) => node.process?.goroutines ?? 0),
    };
    this.#before = new Map(overview.nodes.map((node) => [node.id, node]));
    this.#at = at;
    this.#lately.push(overview);
    this.times.push(at / 1000);
    this.moments.push(moment);
    const old = this.times.findIndex((time) => time > at / 1000 - kept);
    this.times.splice(0, old);
    this.moments.splice(0, old);
    return moment;
  }

  /** How fast a counter has grown in the last seconds, of all nodes. */
  #smooth(now: Overview, of: (node: NodeFigures) => number): number {
    return sum(now.nodes, (node) => {
      const then = this.#lately.find(({ nodes }) => nodes.some(({ id }) => id === node.id));
      const before = then?.nodes.find(({ id }) => id === node.id);
      return then ? grown(of(node), before, of) / ((now.at_ms - then.at_ms) / 1000) : 0;
    });
  }
}

/** Over how many seconds rates by cause are taken, of which there are few in a second. */
const smoothed = 10;

/** By how much a counter has grown; 0 for a node that was not there before. */
function grown(
  now: number | undefined,
  before: NodeFigures | undefined,
  of: (node: NodeFigures) => number | undefined,
): number {
  const was = before && of(before);
  return now === undefined || was === undefined ? 0 : Math.max(now - was, 0);
}

function sum(nodes: NodeFigures[], of: (node: NodeFigures) => number): number {
  return nodes.reduce((total, node) => total + of(node), 0);
}

/** The sum of counters by cause. */
function all(counters: Record<string, number>): number {
  return Object.values(counters).reduce((total, count) => total + count, 0);
}

function longest(nodes: NodeFigures[], of: (node: NodeFigures) => number | undefined): number | undefined {
  const known = nodes.map(of).filter((value) => value !== undefined);
  return known.length ? Math.max(...known) : undefined;
}

/** A cause and how often it was counted, of all nodes. */
export interface Cause {
  cause: string;
  count: number;
}

/** The causes of some kind that have occurred, most frequent first. */
export function causes(nodes: NodeFigures[], of: (node: NodeFigures) => Record<string, number>): Cause[] {
  const total = new Map<string, number>();
  for (const node of nodes) {
    for (const [cause, count] of Object.entries(of(node))) {
      if (count > 0) total.set(cause, (total.get(cause) ?? 0) + count);
    }
  }
  return [...total].map(([cause, count]) => ({ cause, count })).sort((a, b) => b.count - a.count);
}

/** Handshakes that were not let in, by cause. */
export function turnedAway({ handshakes }: NodeFigures): Record<string, number> {
  return Object.fromEntries(Object.entries(handshakes).filter(([result]) => result !== "ok"));
}

/** Handshakes that were not let in and frames that were refused, by cause: these have numbers. */
export function refused(node: NodeFigures): Record<string, number> {
  return { ...turnedAway(node), ...node.refusals };
}

/** How many causes a plot shows. */
export const shown = 5;

/** The causes that were most frequent in a history, and the rest of them as one, if there is a rest. */
export function mostFrequent(
  { moments }: History,
  of: (moment: Moment) => Record<string, number>,
): { causes: string[]; rest?: (moment: Moment) => number } {
  const total = new Map<string, number>();
  for (const moment of moments) {
    for (const [cause, rate] of Object.entries(of(moment))) {
      if (rate > 0) total.set(cause, (total.get(cause) ?? 0) + rate);
    }
  }
  const sorted = [...total].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).map(([cause]) => cause);
  if (sorted.length <= shown) return { causes: sorted };
  const top = sorted.slice(0, shown - 1);
  const rest = (moment: Moment): number =>
    all(Object.fromEntries(Object.entries(of(moment)).filter(([cause]) => !top.includes(cause))));
  return { causes: top, rest };
}
