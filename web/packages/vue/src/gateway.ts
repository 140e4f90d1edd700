import {
  GatewayClient,
  type Options,
  type State,
  type StateChange,
  type Welcome,
} from "@ginforge/gateway-client";
import {
  computed,
  hasInjectionContext,
  inject,
  onScopeDispose,
  shallowReadonly,
  shallowRef,
  type App,
  type ComputedRef,
  type InjectionKey,
  type Ref,
} from "vue";

const key: InjectionKey<GatewayClient> = Symbol("gateway");

/** What `app.use` takes: it gives the composables their client. */
export interface GatewayPlugin {
  client: GatewayClient;
  install(app: App): void;
}

/** Makes the plugin, and the client unless one is given. */
export function createGateway(options: Options | GatewayClient): GatewayPlugin {
  const client = options instanceof GatewayClient ? options : new GatewayClient(options);
  return { client, install: (app) => void app.provide(key, client) };
}

/** The client of the application, or undefined outside of one. */
export function injected(): GatewayClient | undefined {
  return hasInjectionContext() ? inject(key, undefined) : undefined;
}

/** The client given, or that of the application. */
export function needed(client?: GatewayClient): GatewayClient {
  const found = client ?? injected();
  if (!found) throw new Error("there is no gateway: app.use(createGateway({ url }))");
  return found;
}

/** The connection, to be shown and used. */
export interface Gateway {
  client: GatewayClient;
  state: Readonly<Ref<State>>;
  connected: ComputedRef<boolean>;
  /** The last change of state: why a connection has ended, and when the next attempt is. */
  change: Readonly<Ref<StateChange>>;
  /** How many messages wait to be sent. */
  queued: Readonly<Ref<number>>;
  /** What the gateway has told of the connection. */
  session: Readonly<Ref<Welcome | undefined>>;
  connect(token?: string): Promise<void>;
  disconnect(): void;
}

/** Gives a component the connection's state. */
export function useGateway(given?: GatewayClient): Gateway {
  const client = needed(given);
  const change = shallowRef<StateChange>({ state: client.state });
  const queued = shallowRef(client.queued);
  const session = shallowRef(client.session);
  onScopeDispose(
    all(
      client.on("gateway:state", (now) => (change.value = now)),
      client.on("gateway:queue", ({ count }) => (queued.value = count)),
      client.on("welcome", () => (session.value = client.session)),
    ),
  );
  const state = computed(() => change.value.state);
  return {
    client,
    state,
    connected: computed(() => state.value === "connected"),
    change: shallowReadonly(change),
    queued: shallowReadonly(queued),
    session: shallowReadonly(session),
    connect: (token) => client.connect(token),
    disconnect: () => client.disconnect(),
  };
}

/** One function that calls all. */
export function all(...ends: (() => void)[]): () => void {
  return () => {
    for (const end of ends) end();
  };
}

/** The last `limit` of a list with something more at its end. */
export function bounded<T>(list: readonly T[], more: T, limit: number): T[] {
  return [...list.slice(Math.max(0, list.length + 1 - limit)), more];
}
