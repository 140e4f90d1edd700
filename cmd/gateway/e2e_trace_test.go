package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ginforge/gateway/cluster/trace"
)

// follow begins a trace at a node and waits until all look for the message.
func (n *testNode) follow(t *testing.T, id string) {
	t.Helper()
	eventually(t, func() error {
		var got struct {
			Missing []string `json:"missing_nodes"`
		}
		n.mustCall(t, "POST /trace", `{"id":`+quote(id)+`}`, &got)
		if len(got.Missing) > 0 {
			return fmt.Errorf("of %s does not look for %s: %q", n.cfg.Node, id, got.Missing)
		}
		return nil
	})
}

// known asks a node what is known of a message. It is an error when those who look for
// it have not answered in time, as on a busy machine.
func (n *testNode) known(t *testing.T, id string, report any) error {
	t.Helper()
	got := n.call(t, "GET /trace/"+id, "")
	if got.status != http.StatusOK {
		return fmt.Errorf("of %s %s knows %d %s", id, n.cfg.Node, got.status, got.body)
	}
	decode(t, []byte(got.body), &struct{ Data any }{report})
	return nil
}

// traced waits until what is known of a message has everything that is wanted, in
// words.
func (n *testNode) traced(t *testing.T, id string, want ...string) {
	t.Helper()
	eventually(t, func() error {
		var report trace.Report
		if err := n.known(t, id, &report); err != nil {
			return err
		}
		var lines []string
		for _, e := range report.Events {
			line := fmt.Sprint(e.Node, " ", e.Stage, " ", e.Channel)
			for _, more := range []string{e.Via, e.User, e.Device, e.Reason} {
				if more != "" {
					line += " " + more
				}
			}
			if e.Offset != 0 {
				line += fmt.Sprint(" #", e.Offset)
			}
			lines = append(lines, line)
		}
		all := strings.Join(lines, "\n")
		for _, w := range want {
			if !strings.Contains(all, w) {
				return fmt.Errorf("of %s is known\n%s\nwant %q", id, all, w)
			}
		}
		return nil
	})
}

// TestServe_TraceFollowsAMessage publishes one message in each way there is.
func TestServe_TraceFollowsAMessage(t *testing.T) {
	t.Parallel()
	s := startAPI(t, withInbox)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	for _, c := range []*client{ann, bob} {
		c.join("log:1")
		c.join("game:1")
	}
	message := func(id string) string { return `{"type":"room_message","id":"` + id + `","content":"x"}` }
	for i, id := range []string{"by-publish", "by-xadd", "by-api", "by-frame"} {
		s.a.follow(t, id)
		switch via, _ := strings.CutPrefix(id, "by-"); via {
		case "publish":
			s.publish("websocket:room:log:1", message(id))
		case "xadd":
			s.redis.CLI("XADD", "websocket:publish", "*", "channel", "room:log:1", "message", message(id))
		case "api":
			s.b.mustCall(t, "POST /publish", `{"channel":"room:log:1","message":`+message(id)+`}`, nil)
		case "frame":
			bob.send(`{"type":"room_message","id":"by-frame","room":"log:1","content":"x"}`)
		}
		offset := fmt.Sprint(" #", i+1)
		s.b.traced(t, id,
			"ingress room:log:1 "+strings.TrimPrefix(id, "by-"), "appended room:log:1"+offset,
			"node-a received room:log:1"+offset, "node-b received room:log:1"+offset,
			"node-a written room:log:1 ann"+offset, "node-b written room:log:1 bob"+offset)
	}

	s.b.follow(t, "unkept")
	s.publish("websocket:room:game:1", message("unkept"))
	s.a.traced(t, "unkept", "node-a written room:game:1 ann", "node-b written room:game:1 bob")
	if got := s.a.call(t, "GET /trace/nobody-asked", ""); got.status != http.StatusNotFound {
		t.Errorf("a message that nobody looked for: %d %s", got.status, got.body)
	}
	checkJSONError(t, s.a.call(t, "POST /trace", `{"id":"x"}`), http.StatusBadRequest)
	checkJSONError(t, s.a.call(t, "GET /trace/abc", ""), http.StatusBadRequest)
}

// TestServe_TraceGoesByTheEnvelopesID looks for what is also a word of other
// messages: of those nothing is told.
func TestServe_TraceGoesByTheEnvelopesID(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	ann := s.b.connect(t, "ann")
	ann.join("game:1")
	s.a.follow(t, "text")
	for _, other := range []string{
		`{"type":"room_message","id":"other","content":{"text":"text"}}`,
		`{"type":"room_message","content":{"id":"text"}}`,
		`{"type":"text","content":"escaped\n"}`,
	} {
		s.publish("websocket:room:game:1", other)
	}
	s.publish("websocket:room:game:1", `{"message":{"type":"room_message","id":"te\u0078t","content":"the last"}}`)
	ann.awaitText("the last")
	s.a.traced(t, "text", "node-b written room:game:1 ann")
	var report trace.Report
	eventually(t, func() error { return s.a.known(t, "text", &report) })
	if len(report.Events) != 2 { // node-b has received it, and written it
		t.Errorf("of one message is known %+v", report.Events)
	}
}

// TestServe_TraceOfAnInbox follows a message to the device that confirms it.
func TestServe_TraceOfAnInbox(t *testing.T) {
	t.Parallel()
	s := startAPI(t, withInbox)
	s.a.follow(t, "shipped-1")
	s.b.mustCall(t, "POST /publish", `{"channel":"notification:cid","message":{"type":"notification","id":"shipped-1","content":{"title":"t"}}}`, nil)
	s.a.traced(t, "shipped-1", "node-b ingress user:cid api", "node-b appended user:cid #1")
	phone := s.a.arrive(t, "cid", "phone", 1)
	s.b.traced(t, "shipped-1", "node-a written user:cid cid phone #1")
	phone.request(`{"type":"ack","id":"ID","content":{"offset":1}}`)
	s.b.traced(t, "shipped-1", "node-a acked user:cid cid phone #1")
}

// TestServe_TraceSaysWhyNot follows a message to a client that reads nothing.
func TestServe_TraceSaysWhyNot(t *testing.T) {
	t.Parallel()
	s := startAPI(t, func(c *Config) { c.Limits.WriteBufferBytes = 2 << 20 })
	slow := s.a.mustDial(t, "?token="+tokenOf("slow"), narrow())
	slow.greeted()
	slow.join("game:1")
	rdb := s.backend(t)
	pour := func(n int) { // n messages of 4 KB
		publishAll(t, rdb, "websocket:room:game:1", n, func(int) string {
			return `{"type":"room_message","content":"` + strings.Repeat("x", 4000) + `"}`
		})
	}
	eventually(t, func() error {
		if s.a.metric(t, "gateway_slow_connections") == 0 {
			pour(16) // there is room for 16 times as much between slow and gone
			return fmt.Errorf("the socket takes everything")
		}
		return nil
	})
	s.a.follow(t, "too-late")
	s.publish("websocket:room:game:1", `{"type":"room_message","id":"too-late","content":"x"}`)
	s.a.traced(t, "too-late", "node-a waits room:game:1 slow")
	pour(400)
	s.a.traced(t, "too-late", "node-a dropped room:game:1 slow gone")
}

// TestServe_TraceTellsWhoDoesNotLook has one node look alone, as if the other had not
// heard of it: whoever asks is told so, the other looks from then on, and then both
// are told of.
func TestServe_TraceTellsWhoDoesNotLook(t *testing.T) {
	t.Parallel()
	s := startAPI(t, nil)
	ann := s.b.connect(t, "ann")
	ann.join("game:1")
	if _, err := s.a.trace.Arm("order-42"); err != nil {
		t.Fatal(err)
	}
	missing := func() (nodes []string, err error) {
		var got struct {
			Missing []string `json:"missing_nodes"`
		}
		err = s.b.known(t, "order-42", &got)
		return got.Missing, err
	}
	var first []string // that node-b says: it looks itself as soon as node-a has answered it
	eventually(t, func() (err error) {
		first, err = missing()
		return err
	})
	if !slices.Equal(first, []string{s.b.together.nodes.ID()}) {
		t.Errorf("missing are %q, want node-b", first)
	}
	eventually(t, func() error {
		got, err := missing()
		if err == nil && len(got) > 0 {
			err = fmt.Errorf("missing are %q", got)
		}
		return err
	})
	s.publish("websocket:room:game:1", `{"type":"room_message","id":"order-42","content":"x"}`)
	s.a.traced(t, "order-42", "node-b written room:game:1 ann")
	a, _ := s.a.trace.Report("order-42")
	b, _ := s.b.trace.Report("order-42")
	if b.Until.After(a.Until) {
		t.Errorf("one looks until %v, who has joined it until %v", a.Until, b.Until)
	}
}
