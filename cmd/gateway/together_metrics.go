package main

import "github.com/ginforge/gateway/pubsub/presence"

// togetherMetrics is about the other nodes and what is kept for all.
func togetherMetrics() []metric {
	shared := func(n *node) presence.Stats {
		if n.together.presence == nil {
			return presence.Stats{}
		}
		return n.together.presence.Stats()
	}
	return []metric{
		gauge("nodes", "Live nodes, this one included.", func(n *node) float64 { return float64(n.together.nodes.Stats().Live) }),
		gauge("reconnect_window_seconds", "What clients are told of the time over which to spread their reconnects.", func(n *node) float64 { return sessionNodes{n}.Window().Seconds() }),
		counter("lease_failures_total", "Renewals of this node's lease that failed.", func(n *node) float64 { return float64(n.together.nodes.Stats().Failures) }),
		counter("lease_lives_total", "Times this node's lease began; more than one: it was lost.", func(n *node) float64 { return float64(n.together.nodes.Stats().Lives) }),
		labelled("control_messages_total", "Messages on control channels, by what became of them.", "result", func(n *node, put func(string, float64)) {
			s := n.together.nodes.Stats()
			put("done", float64(s.Orders))
			put("dropped", float64(s.Dropped))
			put("late", float64(s.Late))
			put("malformed", float64(s.Malformed))
		}),
		gauge("presence_waiting", "Users whose presence waits to be written to Redis.", func(n *node) float64 { return float64(shared(n).Waiting) }),
		counter("presence_written_total", "Users whose presence was compared with Redis.", func(n *node) float64 { return float64(shared(n).Written) }),
		counter("presence_missed_total", "Statuses of users that clients were told of afterwards, this node having been cut off from Redis.", func(n *node) float64 { return float64(shared(n).Missed) }),
		counter("presence_edges_total", "Changes of status that this node published.", func(n *node) float64 { return float64(shared(n).Edges) }),
		counter("presence_failures_total", "Writes of presence that failed and were tried again.", func(n *node) float64 { return float64(shared(n).Failures) }),
		counter("presence_reaped_total", "Users taken off after their node had died.", func(n *node) float64 { return float64(shared(n).Reaped) }),
		labelled("device_admissions_total", "New connections under a device limit, by result.", "result", func(n *node, put func(string, float64)) {
			s := shared(n)
			put("admitted", float64(s.Admitted))
			put("refused", float64(s.Refused))
			put("unasked", float64(s.Unasked))
		}),
		counter("devices_replaced_total", "Connections ended for a newer one of their user.", func(n *node) float64 { return float64(shared(n).Replaced) }),
	}
}
