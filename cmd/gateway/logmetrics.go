package main

// logMetrics are those of kept messages: what went through Redis besides plain
// Pub/Sub.
func logMetrics() []metric {
	return []metric{
		labelled("log_appended_total", "Messages that logs of rooms and inboxes took, or had taken before.", "result", func(n *node, put func(string, float64)) {
			s := n.bus.Stats()
			put("ok", float64(s.AppendedMessages-s.DuplicateMessages))
			put("duplicate", float64(s.DuplicateMessages))
		}),
		labelled("redis_questions_total", "Reads of logs, positions and inboxes, by result.", "result", func(n *node, put func(string, float64)) {
			s := n.bus.Stats()
			put("ok", float64(s.Asks))
			put("error", float64(s.AskErrors))
			put("refused", float64(s.AsksRefused))
		}),
		gauge("redis_queue_questions", "Questions that wait to be asked.", func(n *node) float64 { return float64(n.bus.Stats().QueuedAsks) }),
		counter("redis_malformed_total", "Messages on the live channel of a log that no gateway put there, dropped.", func(n *node) float64 { return float64(n.bus.Stats().MalformedMessages) }),
		counter("redis_shard_disconnects_total", "Connections to masters of the cluster, for live channels, that were lost.", func(n *node) float64 { return float64(n.bus.Stats().ShardDisconnects) }),
		counter("redis_shard_moves_total", "Live channels that moved to another master of the cluster.", func(n *node) float64 { return float64(n.bus.Stats().ShardMoves) }),
	}
}
