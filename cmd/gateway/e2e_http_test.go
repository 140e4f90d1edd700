package main

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestServe_PublicPaths(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	s.a.connect(t, "ann").join("game:1")
	s.a.connect(t, "ann")

	for _, path := range []string{"/healthz", "/readyz", "/ws/stats"} {
		got := s.a.get(t, path)
		var body struct {
			Code    *int
			Message string
			Data    map[string]any
		}
		decode(t, []byte(got.body), &body)
		if got.status != http.StatusOK || body.Code == nil || *body.Code != 0 || body.Message == "" ||
			got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s answers %d %s, want 200, code 0 and a message in JSON", path, got.status, got.body)
		}
	}
	stats := regexp.MustCompile(`^\{"code":0,"message":"success","data":\{"total_clients":2,"online_users":1,"total_rooms":1,"uptime":\d+\}\}$`)
	if got := s.a.get(t, "/ws/stats").body; !stats.MatchString(got) {
		t.Errorf("/ws/stats is %s, want what matches %s", got, stats)
	}
	// Nothing of the internal listener, and nothing of development mode.
	for _, path := range []string{
		"/", "/index.html", "/dev/token?user=u1", "/echo", "/metrics", "/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/debug/vars", "/api/v1/stats", "/ws/", "/nowhere",
	} {
		if got := s.a.get(t, path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, got.status)
		}
	}
}

func TestServe_InternalPaths(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	for path, want := range map[string]string{
		"/metrics":                       "# TYPE gateway_connections gauge",
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/heap?debug=1":      "heap profile:",
		"/debug/pprof/cmdline":           "",
		"/debug/pprof/symbol":            "num_symbols",
	} {
		if got := s.a.getAdmin(t, path); got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s answers %d %.200s, want 200 and %q", path, got.status, got.body, want)
		}
	}
	// Who knows only the port is led to the console.
	if got := s.a.getAdmin(t, "/"); got.status != http.StatusOK || !strings.Contains(got.body, "<html") {
		t.Errorf("/ answers %d %.100s, want the console", got.status, got.body)
	}
	for _, path := range []string{"/ws", "/healthz", "/ws/online-users"} {
		if got := s.a.getAdmin(t, path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, got.status)
		}
	}
}

func TestServe_DevelopmentHasAPage(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Development, c.Engine.Echo = true, true })
	page := s.a.get(t, "/")
	if page.status != http.StatusOK || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("/ answers %d %v %.100s, want a page with a policy", page.status, page.header, page.body)
	}
	asset := regexp.MustCompile(`assets/[^"]+\.js`).FindString(page.body)
	if got := s.a.get(t, "/"+asset); got.status != http.StatusOK || !strings.Contains(got.header.Get("Content-Type"), "javascript") {
		t.Errorf("the page's script %q answers %d %s, want JavaScript", asset, got.status, got.header.Get("Content-Type"))
	}
	for _, path := range []string{"/nowhere", "/assets/nowhere.js"} {
		if got := s.a.get(t, path); got.status != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, got.status)
		}
	}
	var body struct {
		Data struct{ Token string }
	}
	decode(t, []byte(s.a.get(t, "/dev/token?user=u1&name=Ann").body), &body)
	if c := s.b.connectWith(t, remember(body.Data.Token)); c.user != "u1" {
		t.Errorf("the page's token is %q's, want u1's", c.user)
	}
	checkJSONError(t, s.a.get(t, "/dev/token"), http.StatusBadRequest)
}

// families are all metrics of the gateway's own, with their labels.
var families = map[string]string{
	"gateway_connections": "", "gateway_websockets": "", "gateway_connections_max": "", "gateway_users": "", "gateway_rooms": "",
	"gateway_queue_bytes": "", "gateway_backlogs": "", "gateway_slow_connections": "", "gateway_slow_lost_total": "cause",
	"gateway_accepted_total": "", "gateway_accept_errors_total": "",
	"gateway_wire_frames_in_total": "", "gateway_bytes_in_total": "", "gateway_writes_total": "", "gateway_bytes_out_total": "",
	"gateway_pings_missed_total": "", "gateway_handshakes_total": "result", "gateway_frames_in_total": "type",
	"gateway_refusals_total": "code", "gateway_deliveries_total": "result",
	"gateway_closes_sent_total": "code", "gateway_closes_received_total": "code",
	"gateway_handshakes_in_flight": "", "gateway_admission_addresses": "", "gateway_admission_users": "",
	"gateway_admission_untracked_total": "",
	"gateway_redis_connected":           "", "gateway_redis_subscriptions": "", "gateway_redis_queue_messages": "",
	"gateway_logs": "", "gateway_log_kept_bytes": "", "gateway_log_reads_total": "", "gateway_log_read_errors_total": "",
	"gateway_log_early_total": "", "gateway_log_duplicates_total": "", "gateway_log_repaired_total": "", "gateway_log_lost_total": "",
	"gateway_log_restored_total": "", "gateway_log_replayed_total": "", "gateway_log_replays_total": "result",
	"gateway_redis_connects_total": "", "gateway_redis_received_total": "", "gateway_redis_published_total": "result",
	"gateway_revocations":        "",
	"gateway_log_appended_total": "result", "gateway_redis_questions_total": "result", "gateway_redis_queue_questions": "",
	"gateway_redis_malformed_total": "", "gateway_redis_shard_disconnects_total": "", "gateway_redis_shard_moves_total": "",
	"gateway_sequenced_total": "result", "gateway_sequencer_takeovers_total": "", "gateway_sequencer_breaks_total": "",
	"gateway_sequencer_retries_total": "", "gateway_sequencer_buffered_messages": "", "gateway_sequencer_buffered_bytes": "",
	"gateway_sequencer_leading": "", "gateway_sequencer_standby": "",
	"gateway_intake_entries_total": "result", "gateway_intake_errors_total": "",
	"gateway_payloads_total": "type", "gateway_payloads_dropped_total": "cause",
	"gateway_nodes": "", "gateway_reconnect_window_seconds": "", "gateway_lease_failures_total": "", "gateway_lease_lives_total": "",
	"gateway_control_messages_total": "result", "gateway_presence_waiting": "", "gateway_presence_written_total": "",
	"gateway_presence_edges_total": "", "gateway_presence_missed_total": "", "gateway_presence_failures_total": "", "gateway_presence_reaped_total": "",
	"gateway_device_admissions_total": "result", "gateway_devices_replaced_total": "",
	"gateway_bus_to_sockets_seconds_bucket": "le", "gateway_bus_to_sockets_seconds_sum": "", "gateway_bus_to_sockets_seconds_count": "",
	"gateway_redis_probe_seconds_bucket": "le", "gateway_redis_probe_seconds_sum": "", "gateway_redis_probe_seconds_count": "",
}

// series reads the gateway's own time series, by their names with labels.
func (n *testNode) series(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(n.getAdmin(t, "/metrics").body) {
		if strings.HasPrefix(line, "gateway_") {
			all[line[:strings.LastIndexByte(line, ' ')]] = true
		}
	}
	return all
}

// TestServe_MetricsAreBounded gives the node names, types and codes that nobody
// has heard of: no series may come of them, or clients could fill a Prometheus.
func TestServe_MetricsAreBounded(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	before := s.a.series(t)
	for i := range 5 {
		c := s.a.connect(t, fmt.Sprint("user-", i))
		c.join(fmt.Sprint("invented", i, ":1"))
		c.send(fmt.Sprintf(`{"type":"invented-%d"}`, i))
		c.awaitError("", 4005)
		s.publish("websocket:user:"+c.user, fmt.Sprintf(`{"type":"made-up-%d"}`, i))
		c.awaitText("made-up")
		s.publish(fmt.Sprint("websocket:strange:", i), `{"type":"x"}`)
	}
	for _, code := range []websocket.StatusCode{3000, 3456, 4400, 4567, 4999} {
		if err := s.a.connect(t, "ann").conn.Close(code, "a code of one's own"); err != nil {
			t.Errorf("close with %d: %v", code, err)
		}
	}
	s.a.mustDial(t, "?token=bad", nil).closed(4001)
	known := map[string]*regexp.Regexp{
		"":       regexp.MustCompile(`^$`),
		"code":   regexp.MustCompile(`^\{code="(other|1\d\d\d|4[0-3]\d\d)"\}$`),
		"result": regexp.MustCompile(`^\{result="[a-z_]+"\}$`),
		"cause":  regexp.MustCompile(`^\{cause="[a-z_0-9]+"\}$`),
		"type":   regexp.MustCompile(`^\{type="[a-z_]+"\}$`),
		"le":     regexp.MustCompile(`^\{le="[0-9.e+Inf-]+"\}$`),
	}
	after := s.a.series(t)
	missing := maps.Clone(families)
	for name := range after {
		family, labels, _ := strings.Cut(name, "{")
		if labels != "" {
			labels = "{" + labels
		}
		label, ok := families[family]
		if !ok || !known[label].MatchString(labels) {
			t.Errorf("%s is not a known series", name)
		}
		delete(missing, family)
		if !before[name] && label != "code" {
			t.Errorf("%s was not there from the start", name)
		}
	}
	// Close codes appear with the first of their kind.
	delete(missing, "gateway_closes_sent_total")
	delete(missing, "gateway_closes_received_total")
	if len(missing) > 0 {
		t.Errorf("/metrics lacks %q", slices.Sorted(maps.Keys(missing)))
	}
}

// TestServe_MetricsCount compares numbers with what was done.
func TestServe_MetricsCount(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann, bob := s.a.connect(t, "ann"), s.a.connect(t, "bob")
	ann.join("game:1")
	bob.join("game:1")
	ann.say("game:1", "counted")
	bob.awaitText("counted")
	ann.awaitText("counted")
	ann.refused(4005, `{"type":"nonsense","id":"ID"}`)
	s.a.mustDial(t, "?token=bad", nil).closed(4001)
	s.a.get(t, "/ws?token=bad")
	s.publish("websocket:broadcast", `{"type":"system"}`)
	ann.awaitType("system")
	bob.awaitType("system")
	bob.leave()
	for name, want := range map[string]float64{
		"gateway_users": 1, "gateway_rooms": 1, "gateway_websockets": 1, "gateway_redis_connected": 1,
		"gateway_queue_bytes":                               0,
		`gateway_handshakes_total{result="ok"}`:             2,
		`gateway_handshakes_total{result="bad_token"}`:      2,
		`gateway_frames_in_total{type="join_room"}`:         2,
		`gateway_frames_in_total{type="room_message"}`:      1,
		`gateway_frames_in_total{type="other"}`:             1,
		`gateway_refusals_total{code="4005"}`:               1,
		`gateway_deliveries_total{result="sent"}`:           4,
		`gateway_redis_published_total{result="ok"}`:        1,
		`gateway_redis_received_total`:                      2,
		`gateway_payloads_total{type="room_message"}`:       1,
		`gateway_payloads_total{type="system"}`:             1,
		`gateway_closes_sent_total{code="4001"}`:            1,
		`gateway_closes_received_total{code="1000"}`:        1,
		`gateway_closes_received_total{code="4001"}`:        1,
		`gateway_payloads_dropped_total{cause="malformed"}`: 0,
		`gateway_redis_published_total{result="away"}`:      0,
		`gateway_handshakes_total{result="over_capacity"}`:  0,
		`gateway_redis_subscriptions`:                       8, // broadcast, two of control, two users with two each, a room
	} {
		s.a.awaitMetric(t, name, want) // a connection's end is counted a moment after its client's
	}
	for _, name := range []string{
		"gateway_bytes_in_total", "gateway_bytes_out_total", "gateway_writes_total", "gateway_wire_frames_in_total", "gateway_accepted_total", "gateway_connections_max",
	} {
		if got := s.a.metric(t, name); got < 1 {
			t.Errorf("%s is %v, want more", name, got)
		}
	}
}
