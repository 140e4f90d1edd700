package pubsub

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestBus_UnixSocketAndPassword(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "redis.sock")
	redistest.Start(t, "--unixsocket", socket, "--requirepass", "hu@sh")
	b := connected(t, testConfig("unix://:hu%40sh@"+socket+"?db=1"), nil)
	b.subscribe(t, KindRoom, "r")
	if err := b.publish(t, KindRoom, "r", "x"); err != nil {
		t.Errorf("Publish = %v", err)
	}
	b.inbox.waitFor(t, 1)
}

func TestBus_WrongPasswordIsToldOnceAndNotShown(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	for name, url := range map[string]string{
		"wrong": "redis://:s3cret@" + server.Addr(), "missing": server.URL(),
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, testConfig(url), nil)
			redistest.Eventually(t, patience, func() error {
				if n := b.Stats().ConnectErrors; n < 3 {
					return fmt.Errorf("%d attempts", n)
				}
				return nil
			})
			reason := b.State().LastError
			if !strings.Contains(reason, "WRONGPASS") && !strings.Contains(reason, "NOAUTH") {
				t.Errorf("LastError = %q, want Redis's own reason", reason)
			}
			if got := b.logs.lines("redis is away"); len(got) != 1 {
				t.Errorf("%d log lines, want 1: %q", len(got), got)
			}
			if got := b.logs.lines("s3cret"); len(got) != 0 || strings.Contains(reason, "s3cret") {
				t.Errorf("the password is shown: %q, %q", got, reason)
			}
		})
	}
}

// TestBus_Cluster runs three masters. Pub/Sub reaches all of a cluster's nodes
// whichever is spoken to.
func TestBus_Cluster(t *testing.T) {
	const messages = 2000
	nodes := redistest.StartCluster(t, 3, 0).Primaries
	first := connected(t, testConfig("redis+cluster://"+nodes[0].Addr()+","+nodes[1].Addr()), nil)
	second := connected(t, testConfig("redis+cluster://"+nodes[2].Addr()), nil)
	for _, b := range []*testBus{first, second} {
		b.subscribe(t, KindRoom, "a")
		b.subscribe(t, KindUser, "7")
	}
	answers := newTally()
	for i := range messages {
		kind, name := KindRoom, "a"
		if i%2 == 1 {
			kind, name = KindUser, "7"
		}
		if err := first.Publish(kind, name, []byte(strconv.Itoa(i)), answers.done(i)); err != nil {
			t.Fatalf("Publish = %v", err)
		}
	}
	for _, b := range []*testBus{first, second} {
		for i, m := range b.inbox.waitFor(t, messages) {
			if m.payload != strconv.Itoa(i) {
				t.Fatalf("message %d is %q: the order is lost", i, m.payload)
			}
		}
	}
	redistest.Eventually(t, patience, func() error { return answers.onceEach(messages) })

	for _, n := range nodes {
		n.CLI("PUBLISH", "websocket:broadcast", "from "+n.Addr())
	}
	first.inbox.waitFor(t, messages+3)
}

// TestBus_SentinelFailover kills the master of a replica that Sentinel promotes.
func TestBus_SentinelFailover(t *testing.T) {
	master, replica, sentinel := redistest.StartFailover(t, "main")

	b := connected(t, testConfig("redis+sentinel://"+sentinel.Addr()+"/main"), nil)
	b.subscribe(t, KindRoom, "r")
	before := b.Stats().Connects
	master.Kill()
	b.waitReconnected(t, before)
	if err := newPlainClient(t, replica.Addr()).Publish(context.Background(), "websocket:room:r", "x").Err(); err != nil {
		t.Fatalf("PUBLISH at the new master: %v", err)
	}
	b.inbox.waitFor(t, 1)
	if err := b.publish(t, KindRoom, "r", "y"); err != nil {
		t.Errorf("Publish at the new master = %v", err)
	}
	b.inbox.waitFor(t, 2)
}
