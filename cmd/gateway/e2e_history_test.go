package main

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// withHistory gives rooms that begin with "log:" a history.
func withHistory(c *Config) {
	c.Namespaces["log"] = NamespaceConfig{Join: allowAny, Publish: allowAny, History: HistoryConfig{Size: 1000, TTL: time.Hour}}
	c.History.CheckInterval = time.Second
	c.Limits.FramesPerSecond, c.Limits.FramesBurst = 10_000, 10_000
}

// position is where a client is in the history of a room.
type position struct {
	Epoch     string `json:"epoch"`
	Offset    int    `json:"offset"`
	Recovered bool   `json:"recovered"`
}

// joinSince joins a room and returns where it is; since, unless empty, is where
// the client was.
func (c *client) joinSince(room string, since position) (p position) {
	c.t.Helper()
	content := fmt.Sprintf(`{"room":%q}`, room)
	if since.Epoch != "" {
		content = fmt.Sprintf(`{"room":%q,"since":{"epoch":%q,"offset":%d}}`, room, since.Epoch, since.Offset)
	}
	c.send(`{"type":"join_room","content":` + content + `}`)
	joined := c.await("joined", func(f frame) bool { return f.Type == "joined" && f.Room == room })
	decode(c.t, []byte(joined.raw), &p)
	if p.Epoch == "" {
		c.t.Fatalf("%s: %s has no epoch", c.user, joined.raw)
	}
	return p
}

// hears fails the test unless the next messages of a room have the offsets from
// to up to, in order; it returns the last.
func (c *client) hears(room string, from, to int) (last frame) {
	c.t.Helper()
	for want := from; want <= to; want++ {
		last = c.await("message", func(f frame) bool { return f.Type == "room_message" && f.Room == room })
		var p position
		if decode(c.t, []byte(last.raw), &p); p.Offset != want {
			c.t.Fatalf("%s: got offset %d of %s, want %d", c.user, p.Offset, room, want)
		}
	}
	return last
}

// appendSilently puts a message into the log of a room as a node does, but tells
// nobody: what Pub/Sub has lost.
func (s *system) appendSilently(room, text string) {
	const script = `
		local meta, entries = KEYS[1], KEYS[2]
		local o = redis.call('HINCRBY', meta, 'o', 1)
		redis.call('XADD', entries, string.format('%.0f', o) .. '-0', 'm', ARGV[1], 'd', '-', 't', ARGV[2])
		return o`
	log := "websocket:log:{room:" + room + "}"
	s.redis.CLI("EVAL", script, "2", log+":meta", log+":entries",
		`{"type":"room_message","content":{"text":`+quote(text)+`},"timestamp":5}`, strconv.FormatInt(time.Now().UnixMilli(), 10))
}

func TestServe_HistoryIsReplayedAtTheOtherNode(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	was := bob.joinSince("log:1", position{})
	ann.joinSince("log:1", position{})
	for i := range 20 {
		if i == 10 {
			bob.hears("log:1", 1, 10)
			bob.leave()
		}
		ann.say("log:1", fmt.Sprint(i))
	}
	ann.hears("log:1", 1, 20)

	back := s.a.connect(t, "bob")
	p := back.joinSince("log:1", position{Epoch: was.Epoch, Offset: 10})
	if p.Epoch != was.Epoch || p.Offset != 20 || !p.Recovered {
		t.Errorf("joined tells %+v, want offset 20, recovered", p)
	}
	back.hears("log:1", 11, 20)
	ann.say("log:1", "live")
	back.hears("log:1", 21, 21)
	if p := back.joinSince("log:1", position{Epoch: "another", Offset: 10}); p.Recovered || p.Offset != 21 {
		t.Errorf("joined with a foreign epoch tells %+v, want offset 21, not recovered", p)
	}
	back.nothingMore()
}

// Clients that come and go while messages keep arriving miss none and get none
// twice.
func TestServe_HistorySeamWhileMessagesKeepArriving(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	const messages = 600
	ann := s.a.connect(t, "ann")
	p := ann.joinSince("log:1", position{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range messages {
			ann.say("log:1", fmt.Sprint(i))
		}
	}()
	var visitors sync.WaitGroup
	for v := range 4 {
		visitors.Go(func() {
			at := p
			for n := 0; at.Offset < messages; n++ {
				c := s.nodes()[(v+n)%2].connect(t, fmt.Sprintf("v%d", v))
				if got := c.joinSince("log:1", at); !got.Recovered {
					t.Errorf("joined at %+v since %+v, want everything", got, at)
				}
				next := min(at.Offset+70, messages)
				c.hears("log:1", at.Offset+1, next)
				at.Offset = next
				c.leave()
			}
		})
	}
	visitors.Wait()
	<-done
	ann.hears("log:1", 1, messages)
}

// 500 clients that join a room at once are one read.
func TestServe_HistoryOfAHerdIsReadOnce(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	ann := s.a.connect(t, "ann")
	was := ann.joinSince("log:herd", position{})
	for i := range 50 {
		ann.say("log:herd", fmt.Sprint(i))
	}
	herd := make([]*client, 500)
	for i := range herd {
		herd[i] = s.b.connect(t, fmt.Sprintf("h%d", i))
	}
	before := s.b.metric(t, "gateway_log_reads_total")
	for _, c := range herd {
		c.send(fmt.Sprintf(`{"type":"join_room","content":{"room":"log:herd","since":{"epoch":%q,"offset":20}}}`, was.Epoch))
	}
	for _, c := range herd {
		c.awaitType("joined")
		c.hears("log:herd", 21, 50)
	}
	if reads := s.b.metric(t, "gateway_log_reads_total") - before; reads != 1 {
		t.Errorf("500 joins were %v reads of Redis, want 1", reads)
	}
}

func TestServe_HistoryGapsAreFilledInPlace(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	ann.joinSince("log:1", position{})
	bob.joinSince("log:1", position{})
	ann.say("log:1", "one")
	s.appendSilently("log:1", "two")
	s.appendSilently("log:1", "three")
	ann.say("log:1", "four") // shows the gap
	for _, c := range []*client{ann, bob} {
		c.hears("log:1", 1, 4)
	}
	s.appendSilently("log:1", "five") // nothing shows it but the check
	for _, c := range []*client{ann, bob} {
		c.hears("log:1", 5, 5)
		c.nothingMore()
	}
}

func TestServe_HistoryRetriesAreNoSecondMessage(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	ann := s.a.connect(t, "ann")
	ann.joinSince("log:1", position{})
	for range 2 {
		ann.send(`{"type":"room_message","id":"m1","room":"log:1","content":"hi"}`)
	}
	first := ann.await("ack", func(f frame) bool { return f.Type == "ack" && f.ID == "m1" })
	second := ann.await("ack", func(f frame) bool { return f.Type == "ack" && f.ID == "m1" })
	if string(first.Content) != `{"offset":1}` || string(second.Content) != `{"offset":1,"duplicate":true}` {
		t.Errorf("the acks say %s and %s, want offset 1 and a duplicate", first.Content, second.Content)
	}
	ann.hears("log:1", 1, 1)
	ann.nothingMore()
}

// A Redis that is killed and comes back with its data: nothing is lost, what was
// appended meanwhile is refused to its sender.
func TestServe_HistorySurvivesRedisRestart(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always", "--dir", t.TempDir())
	s := &system{redis: redis, a: launch(t, redis.URL(), "node-a", withHistory), b: launch(t, redis.URL(), "node-b", withHistory)}
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	was := ann.joinSince("log:1", position{})
	bob.joinSince("log:1", position{})
	ann.say("log:1", "one")
	bob.hears("log:1", 1, 1)

	s.redis.Kill()
	for _, n := range s.nodes() {
		n.awaitRedis(t, false)
	}
	ann.refused(4101, `{"type":"room_message","id":"ID","room":"log:1","content":"refused"}`)
	late := s.b.mustDial(t, "?token="+tokenOf("late"), nil)

	s.redis.Restart()
	s.appendSilently("log:1", "two") // by whoever was faster than the nodes
	for _, n := range s.nodes() {
		n.awaitRedis(t, true)
	}
	late.greeted()
	ann.say("log:1", "three")
	ann.hears("log:1", 1, 3)
	bob.hears("log:1", 2, 3)
	if p := late.joinSince("log:1", position{Epoch: was.Epoch}); !p.Recovered || p.Epoch != was.Epoch {
		t.Errorf("joined tells %+v, want everything since the start of %s", p, was.Epoch)
	}
	late.hears("log:1", 1, 3)
}

// A Redis that comes back empty is given back what the nodes still have.
func TestServe_HistoryIsPutBackIntoAnEmptyRedis(t *testing.T) {
	t.Parallel()
	s := startSystem(t, withHistory)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	was := ann.joinSince("log:1", position{})
	bob.joinSince("log:1", position{})
	for i := range 5 {
		ann.say("log:1", fmt.Sprint(i))
	}
	bob.hears("log:1", 1, 5)
	s.redis.Kill()
	for _, n := range s.nodes() {
		n.awaitRedis(t, false)
	}
	s.redis.Restart()
	for _, n := range s.nodes() {
		n.awaitRedis(t, true)
	}
	eventually(t, func() error {
		if o := s.redis.CLI("HGET", "websocket:log:{room:log:1}:meta", "o"); o != "5" {
			return fmt.Errorf("Redis has the log up to %q, want 5", o)
		}
		return nil
	})
	ann.say("log:1", "after")
	bob.hears("log:1", 6, 6)
	ann.hears("log:1", 1, 6)
	carol := s.b.connect(t, "carol")
	if p := carol.joinSince("log:1", position{Epoch: was.Epoch}); !p.Recovered {
		t.Errorf("joined tells %+v, want everything", p)
	}
	carol.hears("log:1", 1, 6)
}

func TestServe_HistoryWithTheEmbeddedRedis(t *testing.T) {
	t.Parallel()
	n := launch(t, embeddedURL, "alone", func(c *Config) {
		withHistory(c)
		c.Redis.EmbeddedListen = "127.0.0.1:0"
		c.Inbox = HistoryConfig{Size: 10, TTL: time.Hour}
	})
	ann := n.connect(t, "ann")
	was := ann.joinSince("log:1", position{})
	for i := range 5 {
		ann.say("log:1", fmt.Sprint(i))
	}
	ann.hears("log:1", 1, 5)
	bob := n.connect(t, "bob")
	if p := bob.joinSince("log:1", position{Epoch: was.Epoch, Offset: 2}); !p.Recovered {
		t.Errorf("joined tells %+v, want everything", p)
	}
	bob.hears("log:1", 3, 5)
	ann.request(`{"type":"user_message","id":"ID","to":"cai","content":"hi"}`)
	if got := n.connect(t, "cai").awaitType("user_message"); got.raw[:11] != `{"offset":1` {
		t.Errorf("cai got %s, want offset 1 first", got.raw)
	}
}
