package pubsub

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// TestLink_QuietConnectionStays: go-redis has set deadlines on the connection,
// and none of them may strike after it was taken over.
func TestLink_QuietConnectionStays(t *testing.T) {
	t.Parallel() // it waits for nothing to happen
	cfg := testConfig(redistest.Start(t).URL())
	cfg.HealthInterval = time.Hour // nor does the health check set any
	b := connected(t, cfg, nil)
	<-time.After(ioTimeout + ioTimeout/10)
	b.subscribe(t, KindRoom, "r")
	if s := b.Stats(); s.Disconnects != 0 {
		t.Errorf("Stats() = %+v, want no disconnects: %s", s, b.State().LastError)
	}
}

// TestLink_GoRedisKeepsNoChannels: they would be a second copy of each.
func TestLink_GoRedisKeepsNoChannels(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, testConfig(server.URL()), nil)
	l := b.dialLink(t)
	defer l.close()
	b.interest.link()
	if err := l.flush(); err != nil {
		t.Fatalf("flush: %v", err)
	}
	p, err := newPushReader(l, readBufferBytes).read()
	if want := (push{pushSubscribe, "websocket:broadcast", ""}); p != want || err != nil {
		t.Errorf("Redis says %+v, %v, want %+v", p, err, want)
	}
	if got := l.sub.String(); got != "PubSub()" {
		t.Errorf("go-redis has %s, want no channels", got)
	}
}

// TestLink_WaitsOnlyWithinRead: what the Handler does in between is not
// Redis's silence, and a long message that arrives in pieces is none either.
func TestLink_WaitsOnlyWithinRead(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	l := &link{conn: ours}
	read := make(chan error)
	go func() {
		_, err := l.Read(make([]byte, 1))
		read <- err
	}()
	redistest.Eventually(t, patience, func() error {
		if l.idleSince.Load() == 0 {
			return errors.New("the reader does not wait")
		}
		return nil
	})
	if _, err := theirs.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, read, "end of Read"); err != nil || l.idleSince.Load() != 0 {
		t.Errorf("Read = %v, and waits since %d, want 0", err, l.idleSince.Load())
	}
}

// TestBus_RefusedChannelIsAReason: a user of Redis without access to the
// channels can connect and subscribe nothing.
func TestBus_RefusedChannelIsAReason(t *testing.T) {
	server := redistest.Start(t)
	server.CLI("ACL", "SETUSER", "deaf", "on", ">secret", "resetchannels", "+@all")
	b := start(t, testConfig("redis://deaf:secret@"+server.Addr()), nil)
	redistest.Eventually(t, patience, func() error {
		if s := b.State(); s.Connected || !strings.Contains(s.LastError, "NOPERM") {
			return errors.New("State() does not say NOPERM: " + s.LastError)
		}
		return nil
	})
}

// TestBus_LongMessages are longer than all buffers on their way.
func TestBus_LongMessages(t *testing.T) {
	server := redistest.Start(t)
	b := connected(t, testConfig(server.URL()), nil)
	b.subscribe(t, KindRoom, "r")
	want := []string{strings.Repeat("a", 5<<20), "b", strings.Repeat("\r\n", readBufferBytes), "c"}
	for _, payload := range want {
		if err := b.publish(t, KindRoom, "r", payload); err != nil {
			t.Fatalf("Publish of %d bytes = %v", len(payload), err)
		}
	}
	for i, m := range b.inbox.waitFor(t, len(want)) {
		if m.payload != want[i] {
			t.Errorf("message %d is %d bytes %.10q, want %d bytes %.10q", i, len(m.payload), m.payload, len(want[i]), want[i])
		}
	}
}
