package main

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginforge/gateway/bench/chaos/proxy"
	"github.com/ginforge/gateway/pubsub/redistest"
)

// throughProxy runs a node whose way to Redis can be closed, and returns what
// closes and opens it.
func throughProxy(t *testing.T, redis *redistest.Server, name string) (n *testNode, open func(bool)) {
	t.Helper()
	var closed atomic.Bool
	p, err := proxy.Listen(func() (int, string, bool) { return 0, redis.Addr(), !closed.Load() }, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	n = launch(t, "redis://"+p.Addr().String(), name, nil)
	return n, func(open bool) {
		closed.Store(!open)
		if !open {
			p.Cut(func(proxy.Conn) bool { return true })
		}
		n.awaitRedis(t, open)
	}
}

// TestServe_StatusMissedWhileCutOff cuts one of two nodes off from Redis: its clients
// learn afterwards who has come and gone meanwhile, once, and of nobody else.
func TestServe_StatusMissedWhileCutOff(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := launch(t, redis.URL(), "node-a", nil)
	b, open := throughProxy(t, redis, "node-b")
	member := b.connect(t, "member")
	member.join("chat:1")
	told(t, b)
	stays, goes := a.connect(t, "stays"), a.connect(t, "goes")
	stays.join("chat:1")
	member.awaitStatus(t, "stays", "online")
	goes.join("chat:1")
	member.awaitStatus(t, "goes", "online")
	stays.awaitStatus(t, "goes", "online")

	open(false)
	a.connect(t, "comes").join("chat:1")
	goes.leave()
	stays.awaitStatus(t, "comes", "online")
	stays.awaitStatus(t, "goes", "offline")
	told(t, a)
	open(true)
	member.awaitStatus(t, "comes", "online")
	member.awaitStatus(t, "goes", "offline")
	stays.nothingMore() // member was there all the time
}

// TestServe_StatusGuessedWhileCutOff: who asks while its node is cut off from Redis is
// told what that node knows, and later what it did not.
func TestServe_StatusGuessedWhileCutOff(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a := launch(t, redis.URL(), "node-a", nil)
	b, open := throughProxy(t, redis, "node-b")
	a.connect(t, "elsewhere")
	b.connect(t, "here")
	first, second := b.connect(t, "first"), b.connect(t, "second")
	first.request(`{"type":"watch","id":"ID","content":{"users":["elsewhere","here","nowhere"]}}`) // node-b listens from here on
	told(t, a)
	told(t, b)
	// As if all that was a minute ago: the stream has everything that is missed, and nothing of this.
	redis.CLI("DEL", "websocket:edges")
	redis.CLI("XADD", "websocket:edges", strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 10), "e", "")

	open(false)
	second.send(`{"type":"watch","id":"2","content":{"users":["elsewhere","here","nowhere"]}}`)
	if f := second.awaitType("ack"); !strings.Contains(f.raw, `"online":["here"]`) {
		t.Errorf("cut off, node-b answers %s, want that nobody but who is there is online", f.raw)
	}
	open(true)
	second.awaitStatus(t, "elsewhere", "online")
	second.nothingMore()
}
