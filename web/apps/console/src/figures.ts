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
  deliveries: { sent: number; slow: number; gone: number };
  slow_lost: Record<string, number>;
  handshakes: Record<string, number>;
  refusals: Record<string, number>;
  closes: Record<string, number>;
  redis: { kind: string; connected: boolean; since: string; subscriptions: number; queued_messages: number };
  latency?: { samples: number; p50_ms: number; p99_ms: number };
  process?: { memory_bytes: number; cpu_seconds: number; goroutines: number };
}

/** What the gateway sends a console each second. */
export interface Overview {
  nodes: NodeFigures[];
  missing_nodes?: string[];
}

/** What is plotted, of one moment. Rates are per second, since the moment before. */
export interface Moment {
  connections: number;
  users: number;
  rooms: number;
  deliveries: number;
  handshakes: number;
  /** Handshakes turned away, and frames refused. */
  turnedAway: number;
  refused: number;
  /** Close frames sent. */
  closes: number;
  bytes: number;
  /** Connections close to their limit, and messages that were not sent to slow ones. */
  slow: number;
  dropped: number;
  /** Nodes that have no Redis, and messages that wait for it. */
  away: number;
  queued: number;
  /** Milliseconds; of the node where it is the longest. `undefined`: nobody has measured. */
  p50: number | undefined;
  p99: number | undefined;
  /** Cores in use, of all nodes. */
  cpu: number;
  memory: number;
}

/** One or more lines over time. */
export interface Plot {
  title: string;
  /** What of each moment is plotted. */
  of: ((moment: Moment) => number | undefined)[];
  names?: string[];
  format?: (value: number) => string;
}

/** How many moments are kept: ten minutes. */
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

  /** Takes what all nodes say at a time, in milliseconds. */
  add(overview: Overview, at: number): Moment {
    const seconds = Math.max((at - this.#at) / 1000, 0.001);
    const rate = (of: (node: NodeFigures) => number | undefined): number =>
      sum(overview.nodes, (node) => grown(of(node), this.#before.get(node.id), of)) / seconds;
    const moment: Moment = {
      connections: sum(overview.nodes, (node) => node.websockets),
      users: sum(overview.nodes, (node) => node.users),
      rooms: sum(overview.nodes, (node) => node.rooms),
      deliveries: rate((node) => node.deliveries.sent),
      handshakes: rate((node) => node.handshakes["ok"]),
      turnedAway: rate((node) => all(turnedAway(node))),
      refused: rate((node) => all(node.refusals)),
      closes: rate((node) => all(node.closes)),
      bytes: rate((node) => node.bytes_out),
      slow: sum(overview.nodes, (node) => node.slow_connections),
      dropped: rate((node) => all(node.slow_lost)),
      away: sum(overview.nodes, (node) => (node.redis.connected ? 0 : 1)),
      queued: sum(overview.nodes, (node) => node.redis.queued_messages),
      p50: longest(overview.nodes, (node) => node.latency?.p50_ms),
      p99: longest(overview.nodes, (node) => node.latency?.p99_ms),
      cpu: rate((node) => node.process?.cpu_seconds),
      memory: sum(overview.nodes, (node) => node.process?.memory_bytes ?? 0),
    };
    this.#before = new Map(overview.nodes.map((node) => [node.id, node]));
    this.#at = at;
    this.times.push(at / 1000);
    this.moments.push(moment);
    if (this.times.length > kept) {
      this.times.shift();
      this.moments.shift();
    }
    return moment;
  }
}

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
