import { connect, createServer, type Server, type Socket } from "node:net";

/** A network between browsers and gateways that can be taken away. */
export class Proxy {
  /** Connections that were accepted, all in all. */
  accepted = 0;
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly #server: Server;
  #stalled = false;
  #port = 0;

  private constructor(private target: number) {
    this.#server = createServer((browser) => this.#accept(browser));
  }

  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    const address = proxy.#server.address();
    if (typeof address === "object" && address) proxy.#port = address.port;
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/ws`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** New connections go elsewhere from now on. */
  retarget(target: number): void {
    this.target = target;
  }

  /** From now on nothing gets through, in either direction, and nobody is told. */
  stall(): void {
    this.#stalled = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** Traffic flows again. What was stalled for long is dropped instead: its other end has gone. */
  resume(drop: boolean): void {
    this.#stalled = false;
    if (drop) this.cut();
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Resets all connections. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #accept(browser: Socket): void {
    this.accepted++;
    const gateway = connect(this.target, "127.0.0.1");
    const pair: [Socket, Socket] = [browser, gateway];
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [gateway, browser] as const]) {
      from.on("data", (data) => to.write(data));
      from.on("error", () => undefined);
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
      if (this.#stalled) from.pause();
    }
  }
}
