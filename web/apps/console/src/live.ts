import { GatewayClient, type State } from "@ginforge/gateway-client";
import { onScopeDispose, shallowRef, type ShallowRef } from "vue";
import type { Api } from "./api.ts";
import { Series, type History, type Overview } from "./figures.ts";

/** What a console shows. */
export interface Live {
  state: ShallowRef<State>;
  /** What the nodes have said last. */
  overview: ShallowRef<Overview | undefined>;
  history: ShallowRef<History>;
}

/**
 * Follows the nodes over the gateway's own WebSocket until the scope ends.
 *
 * @param url as the API says
 */
export function useLive(api: Api, url: string): Live {
  const state = shallowRef<State>("idle");
  const overview = shallowRef<Overview>();
  const series = new Series();
  const history = shallowRef<History>({ times: [], moments: [] });
  const client = new GatewayClient({
    url,
    getToken: async () => (await api.console()).token,
    device: `console-${Math.random().toString(36).slice(2, 10)}`,
    autoAck: false,
  });
  client.on("gateway:state", (change) => (state.value = change.state));
  client.on("data_update", ({ content }) => {
    if (content?.entity !== "console") return;
    overview.value = content.data as Overview;
    series.add(overview.value, Date.now());
    history.value = { times: [...series.times], moments: [...series.moments] };
  });
  client.connect().catch(() => undefined); // the page shows the state
  onScopeDispose(() => client.disconnect());
  return { state, overview, history };
}
