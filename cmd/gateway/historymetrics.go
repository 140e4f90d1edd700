package main

// historyMetrics are about what members of rooms with history and users with an
// inbox are sent.
func historyMetrics() []metric {
	return []metric{
		gauge("logs", "Rooms with history and inboxes that have somebody here, or had a moment ago.", func(n *node) float64 { return float64(n.hub.LogStats().Logs) }),
		gauge("log_kept_bytes", "Bytes of their latest messages in memory.", func(n *node) float64 { return float64(n.hub.LogStats().KeptBytes) }),
		counter("log_reads_total", "Reads of logs.", func(n *node) float64 { return float64(n.hub.LogStats().Reads) }),
		counter("log_read_errors_total", "Requests about logs that failed and were tried again.", func(n *node) float64 { return float64(n.hub.LogStats().Failures) }),
		counter("log_early_total", "Messages that came before one they follow.", func(n *node) float64 { return float64(n.hub.LogStats().Early) }),
		counter("log_duplicates_total", "Messages that came twice, dropped.", func(n *node) float64 { return float64(n.hub.LogStats().Duplicates) }),
		counter("log_repaired_total", "Messages that were missing and read from Redis.", func(n *node) float64 { return float64(n.hub.LogStats().Repaired) }),
		counter("log_lost_total", "Times that members were told that messages are lost.", func(n *node) float64 { return float64(n.hub.LogStats().Lost) }),
		counter("log_restored_total", "Times that Redis was given back what it had lost.", func(n *node) float64 { return float64(n.hub.LogStats().Restored) }),
		counter("log_replayed_total", "Messages that were replayed.", func(n *node) float64 { return float64(n.hub.LogStats().Replayed) }),
		labelled("log_replays_total", "Members that asked for what they missed, by result.", "result", func(n *node, put func(string, float64)) {
			s := n.hub.LogStats()
			put("replayed", float64(s.Replays))
			put("refused", float64(s.Refused))
		}),
	}
}
