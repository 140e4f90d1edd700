import { GatewayClient, type Frame, type Options, type State } from "@ginforge/gateway-client";
import { defineStore } from "pinia";
import { computed, markRaw, shallowRef, type ComputedRef, type ShallowRef } from "vue";
import { bounded, injected } from "./gateway.js";

export interface StoreOptions extends Partial<Options> {
  /** The store's id (`gateway`). */
  id?: string;
  /** How many messages are kept (500). */
  limit?: number;
}

/** What the store holds and does. */
export interface GatewayStore {
  client: GatewayClient;
  state: ShallowRef<State>;
  connected: ComputedRef<boolean>;
  /** The latest frames of all types, oldest first. */
  messages: ShallowRef<Frame[]>;
  /** How many messages wait to be sent. */
  queued: ShallowRef<number>;
  connect(token?: string): Promise<void>;
  /** Sends a message, now or when there is a connection. */
  send(message: Frame): Promise<Frame>;
  disconnect(): void;
  /** Forgets the messages. */
  clear(): void;
}

/**
 * Makes a Pinia store around a connection: that of the application when it has one (see
 * `createGateway`), else one of its own, to `/ws` unless options say where.
 */
export function createGatewayStore({ id = "gateway", limit = 500, ...options }: StoreOptions = {}) {
  return defineStore(id, (): GatewayStore => {
    const own = options.url === undefined ? injected() : undefined;
    const client = markRaw(own ?? new GatewayClient({ url: "/ws", ...options }));
    const state = shallowRef(client.state);
    const messages = shallowRef<Frame[]>([]);
    const queued = shallowRef(client.queued);
    client.on("gateway:state", (change) => (state.value = change.state));
    client.on("gateway:queue", ({ count }) => (queued.value = count));
    client.on("*", (frame) => (messages.value = bounded(messages.value, frame, limit)));
    return {
      client,
      state,
      connected: computed(() => state.value === "connected"),
      messages,
      queued,
      connect: (token) => client.connect(token),
      send: (message) => client.send(message),
      disconnect: () => client.disconnect(),
      clear: () => void (messages.value = []),
    };
  });
}

/** The store for code that wants one connection and no options. */
export const useGatewayStore = createGatewayStore();
