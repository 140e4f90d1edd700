package main

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metric is one number, or one for each value of a label, read when Prometheus
// asks; the packages count, this table names.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	// read calls put for each value; label is empty for a metric without one.
	read func(n *node, put func(label string, value float64))
}

func gauge(name, help string, value func(*node) float64) metric {
	return single(name, help, prometheus.GaugeValue, value)
}

func counter(name, help string, value func(*node) float64) metric {
	return single(name, help, prometheus.CounterValue, value)
}

func single(name, help string, kind prometheus.ValueType, value func(*node) float64) metric {
	return metric{
		desc: prometheus.NewDesc("gateway_"+name, help, nil, nil),
		kind: kind,
		read: func(n *node, put func(string, float64)) { put("", value(n)) },
	}
}

// labelled is a counter with a label whose values are a fixed set.
func labelled(name, help, label string, read func(n *node, put func(string, float64))) metric {
	return metric{
		desc: prometheus.NewDesc("gateway_"+name, help, []string{label}, nil),
		kind: prometheus.CounterValue,
		read: read,
	}
}

func putAll[K ~uint16 | ~int | ~string, V ~uint64](values map[K]V, put func(string, float64), text func(K) string) {
	for k, v := range values {
		put(text(k), float64(v))
	}
}

func same(s string) string { return s }

// codeLabel is a close code as a label; 0 stands for all that are not known.
func codeLabel[K ~uint16 | ~int](code K) string {
	if code == 0 {
		return "other"
	}
	return strconv.Itoa(int(code))
}

// metrics is everything that /metrics shows.
func (n *node) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(n.transit.histogram, n.console.probes.histogram)
	r.MustRegister(nodeCollector{n, slices.Concat(clientMetrics(), admissionMetrics(), redisMetrics(), logMetrics(), historyMetrics(), togetherMetrics(), durableMetrics())},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func clientMetrics() []metric {
	return []metric{
		gauge("connections", "Open TCP connections, upgraded or not.", func(n *node) float64 { return float64(n.engine.Stats().Open) }),
		gauge("websockets", "Open WebSocket connections.", func(n *node) float64 { return float64(n.engine.Stats().WebSockets) }),
		gauge("connections_max", "Connections from which new ones are refused.", func(n *node) float64 { return float64(n.engine.MaxConnections()) }),
		gauge("users", "Users with at least one connection.", func(n *node) float64 { return float64(n.hub.Stats().Users) }),
		gauge("revocations", "Revoked tokens, users and devices that this node knows.", func(n *node) float64 { return float64(n.sessions.Stats().Revoked) }),
		gauge("rooms", "Rooms with at least one member.", func(n *node) float64 { return float64(n.hub.Stats().Rooms) }),
		gauge("queue_bytes", "Bytes that wait for slow clients.", func(n *node) float64 { return float64(n.engine.Stats().PendingBytes) }),
		gauge("backlogs", "Connections for which messages wait.", func(n *node) float64 { return float64(n.engine.Stats().Behind) }),
		gauge("slow_connections", "Connections for which more than half of limits.write_buffer_bytes wait.", func(n *node) float64 { return float64(n.engine.Stats().Crowded) }),
		counter("accepted_total", "TCP connections accepted.", func(n *node) float64 { return float64(n.engine.Stats().Accepted) }),
		counter("accept_errors_total", "Connections that could not be accepted.", func(n *node) float64 { return float64(n.engine.Stats().AcceptErrors) }),
		counter("wire_frames_in_total", "WebSocket messages and control frames received.", func(n *node) float64 { return float64(n.engine.Stats().FramesIn) }),
		counter("bytes_in_total", "Bytes received on WebSocket connections.", func(n *node) float64 { return float64(n.engine.Stats().BytesIn) }),
		counter("writes_total", "Writes to WebSocket connections, each of one or more frames.", func(n *node) float64 { return float64(n.engine.Stats().WritesOut) }),
		counter("bytes_out_total", "Bytes sent on WebSocket connections.", func(n *node) float64 { return float64(n.engine.Stats().BytesOut) }),
		counter("pings_missed_total", "Connections closed because they went silent.", func(n *node) float64 { return float64(n.engine.Stats().PingsMissed) }),
		labelled("handshakes_total", "Requests to /ws, by result.", "result", func(n *node, put func(string, float64)) {
			putAll(n.sessions.Stats().Handshakes, put, same)
		}),
		labelled("frames_in_total", "Frames of clients, by type.", "type", func(n *node, put func(string, float64)) {
			putAll(n.sessions.Stats().Frames, put, same)
		}),
		labelled("refusals_total", "Error frames sent, by code.", "code", func(n *node, put func(string, float64)) {
			putAll(n.sessions.Stats().Refusals, put, codeLabel[int])
		}),
		labelled("deliveries_total", "Messages to connections, by what became of them.", "result", func(n *node, put func(string, float64)) {
			s := n.hub.Stats()
			put("sent", float64(s.Delivered))
			put("slow", float64(s.Slow))
			put("gone", float64(s.Gone))
		}),
		labelled("slow_lost_total", "Messages that waited for slow clients and were not sent, by class and cause.", "cause", func(n *node, put func(string, float64)) {
			for _, l := range n.engine.Stats().Losses {
				put(l.Class.String()+"_"+l.Cause, float64(l.Count))
			}
		}),
		labelled("closes_sent_total", "Close frames sent, by code.", "code", func(n *node, put func(string, float64)) {
			putAll(n.engine.Stats().ClosesSent, put, codeLabel)
		}),
		labelled("closes_received_total", "Close frames received, by code.", "code", func(n *node, put func(string, float64)) {
			putAll(n.engine.Stats().ClosesSeen, put, codeLabel)
		}),
	}
}

func admissionMetrics() []metric {
	return []metric{
		gauge("handshakes_in_flight", "Handshakes that were let in and not yet welcomed.", func(n *node) float64 { return float64(n.gate.Stats().InFlight) }),
		gauge("admission_addresses", "Client addresses that are kept in mind.", func(n *node) float64 { return float64(n.gate.Stats().Addresses) }),
		gauge("admission_users", "Users whose rates are kept in mind.", func(n *node) float64 { return float64(n.gate.Stats().Users) }),
		counter("admission_untracked_total", "Times that a client or user was not counted because admission.table_entries are.", func(n *node) float64 { return float64(n.gate.Stats().Untracked) }),
	}
}

func redisMetrics() []metric {
	return []metric{
		gauge("redis_connected", "1 while Redis is there and all channels are subscribed.", func(n *node) float64 {
			if n.bus.State().Connected {
				return 1
			}
			return 0
		}),
		gauge("redis_subscriptions", "Channels that Redis has confirmed.", func(n *node) float64 { return float64(n.bus.State().Subscriptions) }),
		gauge("redis_queue_messages", "Messages that wait to be published.", func(n *node) float64 { return float64(n.bus.Stats().QueuedMessages) }),
		counter("redis_connects_total", "Times the connection to Redis came up.", func(n *node) float64 { return float64(n.bus.Stats().Connects) }),
		counter("redis_received_total", "Messages received from Redis.", func(n *node) float64 { return float64(n.bus.Stats().ReceivedMessages) }),
		labelled("redis_published_total", "Messages to Redis, by result.", "result", func(n *node, put func(string, float64)) {
			s := n.bus.Stats()
			put("ok", float64(s.PublishedMessages))
			put("error", float64(s.PublishErrors))
			put("away", float64(s.RefusedAway))
			put("busy", float64(s.RefusedBusy))
		}),
		labelled("payloads_total", "Payloads from Redis that were delivered, by type.", "type", func(n *node, put func(string, float64)) {
			putAll(n.sessions.Stats().Payloads, put, same)
		}),
		labelled("payloads_dropped_total", "Payloads from Redis that were dropped, by cause.", "cause", func(n *node, put func(string, float64)) {
			putAll(n.sessions.Stats().Drops, put, same)
		}),
	}
}

// nodeCollector implements prometheus.Collector.
type nodeCollector struct {
	node    *node
	metrics []metric
}

func (c nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		ch <- m.desc
	}
}

func (c nodeCollector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.metrics {
		m.read(c.node, func(label string, value float64) {
			if label == "" {
				ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value)
				return
			}
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, value, label)
		})
	}
}
