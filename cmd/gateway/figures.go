package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ginforge/gateway/session"
)

// nodeStats is the numbers of this node. Counters count from its start.
type nodeStats struct {
	Node           string            `json:"node"`
	ID             string            `json:"id"`
	Version        string            `json:"version"`
	State          string            `json:"state"` // as /readyz says: ready, starting, draining, over capacity
	UptimeSeconds  int64             `json:"uptime_seconds"`
	Draining       bool              `json:"draining"`
	Connections    int64             `json:"connections"`
	MaxConnections int               `json:"max_connections"`
	WebSockets     int64             `json:"websockets"`
	Accepted       uint64            `json:"accepted"`
	Users          int64             `json:"users"`
	Rooms          int64             `json:"rooms"`
	QueueBytes     int64             `json:"queue_bytes"`
	SlowNow        int64             `json:"slow_connections"` // that are close to their limit
	BytesIn        uint64            `json:"bytes_in"`
	BytesOut       uint64            `json:"bytes_out"`
	Deliveries     map[string]uint64 `json:"deliveries"`
	SlowLost       map[string]uint64 `json:"slow_lost"` // by class and cause, as gateway_slow_lost_total
	Handshakes     map[string]uint64 `json:"handshakes"`
	Frames         map[string]uint64 `json:"frames"`
	Refusals       map[int]uint64    `json:"refusals"`
	Closes         map[string]uint64 `json:"closes"`
	Revoked        int               `json:"revoked"`
	Redis          redisStats        `json:"redis"`
	// The others are for consoles.
	Latency *latencyStats `json:"latency,omitempty"`
	Process *processStats `json:"process,omitempty"`
	Slow    []slowStats   `json:"slow,omitempty"` // those of SlowNow for which most waits
}

// latencyStats is how long messages take at this node. What was not measured lately
// is nil.
type latencyStats struct {
	// Sockets is from being read from Redis to being handed to the sockets, of the real
	// messages of the last seconds.
	Sockets *quantiles `json:"bus_to_sockets,omitempty"`
	// RoundTrip is through Redis, of the latest probe, in milliseconds.
	RoundTrip *float64 `json:"redis_round_trip_ms,omitempty"`
}

// maxSlowShown is how many slow connections a node names to consoles.
const maxSlowShown = 10

// slowStats is a connection that reads too slowly.
type slowStats struct {
	User   string    `json:"user_id"`
	Device string    `json:"device_id,omitempty"`
	Client string    `json:"client_id"`
	Bytes  int       `json:"bytes"` // that wait for it
	Since  time.Time `json:"since"`
}

func (n *node) slow() (list []slowStats) {
	for _, c := range n.engine.Slow(maxSlowShown) {
		if s, ok := c.Handler.(*session.Session); ok {
			user, device, client := s.Who()
			list = append(list, slowStats{user, device, client, c.Bytes, c.Since.UTC()})
		}
	}
	return list
}

type redisStats struct {
	Kind           string    `json:"kind"` // embedded, standalone, sentinel, cluster
	Connected      bool      `json:"connected"`
	Since          time.Time `json:"since"`
	Subscriptions  int       `json:"subscriptions"`
	QueuedMessages int       `json:"queued_messages"`
	Received       int64     `json:"received"`
	Published      int64     `json:"published"`
}

func (n *node) stats() nodeStats {
	hub, conns, bus, state, sessions := n.hub.Stats(), n.engine.Stats(), n.bus.Stats(), n.bus.State(), n.sessions.Stats()
	closes, lost := map[string]uint64{}, map[string]uint64{}
	for code, count := range conns.ClosesSent {
		closes[codeLabel(code)] = count
	}
	for _, l := range conns.Losses {
		lost[l.Class.String()+"_"+l.Cause] = l.Count
	}
	_, ready := n.readiness()
	return nodeStats{
		Node: n.cfg.Node, ID: n.together.nodes.ID(), Version: buildVersion(), State: ready,
		UptimeSeconds: int64(time.Since(n.started).Seconds()), Draining: n.leaving.begun.Load(),
		Connections: conns.Open, MaxConnections: n.engine.MaxConnections(), WebSockets: conns.WebSockets, Accepted: conns.Accepted,
		Users: hub.Users, Rooms: hub.Rooms, QueueBytes: conns.PendingBytes, SlowNow: conns.Crowded,
		BytesIn: conns.BytesIn, BytesOut: conns.BytesOut,
		Deliveries: map[string]uint64{"sent": hub.Delivered, "slow": hub.Slow, "gone": hub.Gone}, SlowLost: lost,
		Handshakes: sessions.Handshakes, Frames: sessions.Frames, Refusals: sessions.Refusals, Closes: closes,
		Revoked: sessions.Revoked,
		Redis: redisStats{
			Kind: redisKind(n.cfg.Redis.URL), Connected: state.Connected, Since: state.Since.UTC(), Subscriptions: state.Subscriptions,
			QueuedMessages: bus.QueuedMessages, Received: bus.ReceivedMessages, Published: bus.PublishedMessages,
		},
	}
}

// redisKind names what redis.url leads to.
func redisKind(url string) string {
	scheme, _, _ := strings.Cut(url, "://")
	switch {
	case url == embeddedURL:
		return "embedded"
	case strings.Contains(scheme, "+sentinel"):
		return "sentinel"
	case strings.Contains(scheme, "+cluster"):
		return "cluster"
	default:
		return "standalone"
	}
}

// processStats is what the process takes of the machine.
type processStats struct {
	MemoryBytes int64   `json:"memory_bytes"` // resident
	CPUSeconds  float64 `json:"cpu_seconds"`  // of all threads, since the start
	Goroutines  int     `json:"goroutines"`
}

// processFigures returns nil where the system does not say.
func processFigures() *processStats {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return nil
	}
	p := &processStats{CPUSeconds: seconds(usage.Utime) + seconds(usage.Stime), Goroutines: runtime.NumGoroutine()}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident int64
		if _, err := fmt.Sscan(string(text), &size, &resident); err == nil {
			p.MemoryBytes = resident * int64(os.Getpagesize())
		}
	}
	return p
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
