import { GatewayClient, type State } from "@ginforge/gateway-client";
import { onScopeDispose, shallowRef, type ShallowRef } from "vue";
import type { Api } from "./api.ts";
import { Series, type History, type NodeFigures, type Overview } from "./figures.ts";

/** What a console shows. */
export interface Live {
  state: ShallowRef<State>;
  /** What the nodes have said last. */
  overview: ShallowRef<Overview | undefined>;
  /** Of those that do not answer, what they said when they did. */
  silent: ShallowRef<NodeFigures[]>;
  history: ShallowRef<History>;
}

/**
 * Follows the nodes over the gateway's own WebSocket until the scope ends, from what they have kept of the time before.
 *
 * @param url as the API says
 */
export function useLive(api: Api, url: string): Live {
  const state = shallowRef<State>("idle");
  const overview = shallowRef<Overview>();
  const silent = shallowRef<NodeFigures[]>([]);
  const series = new Series();
  const seen = new Map<string, NodeFigures>();
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
    for (const node of overview.value.nodes) seen.set(node.id, node);
    silent.value = (overview.value.missing_nodes ?? []).flatMap((id) => seen.get(id) ?? []);
    series.add(overview.value);
    history.value = { times: [...series.times], moments: [...series.moments] };
  });
  let over = false;
  onScopeDispose(() => {
    over = true;
    client.disconnect();
  });
  void api
    .past()
    .then(({ moments }) => moments.forEach((moment) => series.add(moment)))
    .catch(() => undefined) // then there is none
    .finally(() => {
      if (!over) client.connect().catch(() => undefined); // the page shows the state
    });
  return { state, overview, silent, history };
}
