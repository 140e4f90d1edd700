package main

import (
	"github.com/ginforge/gateway/pubsub/intake"
	"github.com/ginforge/gateway/pubsub/sequencer"
)

// durableMetrics are about what backends publish for logs.
func durableMetrics() []metric {
	sequenced := func(read func(sequencer.Stats) float64) func(*node) float64 {
		return func(n *node) float64 {
			if n.durable.sequencer == nil {
				return 0
			}
			return read(n.durable.sequencer.Stats())
		}
	}
	return []metric{
		labelled("sequenced_total", "Messages by plain PUBLISH for logs, by what became of them at this node.", "result", func(n *node, put func(string, float64)) {
			var s sequencer.Stats
			if n.durable.sequencer != nil {
				s = n.durable.sequencer.Stats()
			}
			put("ok", float64(s.Sequenced))
			put("duplicate", float64(s.Duplicates))
			put("invalid", float64(s.Invalid))
			put("failed", float64(s.Failed))
			put("overflow", float64(s.Overflowed))
			put("unidentified", float64(s.Unidentified))
		}),
		counter("sequencer_takeovers_total", "Times this node has begun to sequence a partition.", sequenced(func(s sequencer.Stats) float64 { return float64(s.Takeovers) })),
		counter("sequencer_breaks_total", "Times the connection that follows plain messages was lost.", sequenced(func(s sequencer.Stats) float64 { return float64(s.Breaks) })),
		counter("sequencer_retries_total", "Batches that Redis did not take at once.", sequenced(func(s sequencer.Stats) float64 { return float64(s.Retries) })),
		gauge("sequencer_buffered_messages", "Plain messages that may not be in their logs yet.", sequenced(func(s sequencer.Stats) float64 { return float64(s.Buffered) })),
		gauge("sequencer_buffered_bytes", "Their bytes.", sequenced(func(s sequencer.Stats) float64 { return float64(s.BufferedBytes) })),
		gauge("sequencer_leading", "Partitions that this node sequences.", sequenced(func(s sequencer.Stats) float64 { return float64(s.Leading) })),
		gauge("sequencer_standby", "Partitions that this node is ready to take over.", sequenced(func(s sequencer.Stats) float64 { return float64(s.Standby) })),
		labelled("intake_entries_total", "Entries of the stream of durable messages, by what became of them at this node.", "result", func(n *node, put func(string, float64)) {
			var s intake.Stats
			if n.durable.intake != nil {
				s = n.durable.intake.Stats()
			}
			put("ok", float64(s.Taken))
			put("duplicate", float64(s.Duplicates))
			put("poison", float64(s.Poison))
			put("reclaimed", float64(s.Reclaimed))
		}),
		counter("intake_errors_total", "Times that entries were tried again, since Redis failed.", func(n *node) float64 {
			if n.durable.intake == nil {
				return 0
			}
			return float64(n.durable.intake.Stats().Errors)
		}),
	}
}
