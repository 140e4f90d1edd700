package smoke

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"
)

const (
	numClients   = 20
	numMessages  = 10
	room         = "smoke:1"
	pingInterval = 200 * time.Millisecond
	testTimeout  = 30 * time.Second
)

func TestPeer(t *testing.T) {
	tests := map[string]struct {
		binary  string
		args    []string
		isFloor bool // no tokens, one room
	}{
		"gorilla":          {binary: "gorilla"},
		"gws":              {binary: "gws"},
		"coder":            {binary: "coder"},
		"nbiows":           {binary: "nbiows"},
		"centrifuge":       {binary: "centrifuge"},
		"ws":               {binary: "ws"},
		"socketio":         {binary: "socketio"},
		"floor":            {binary: "floor", isFloor: true},
		"floor, 2 threads": {binary: "floor", isFloor: true, args: []string{"--threads", "2"}},
		"floor, in bursts": {binary: "floor", isFloor: true, args: []string{"--burst"}},
	}
	publisher, redisURL := startRedis(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
			defer cancel()
			p := startPeer(t, tt.binary, redisURL, tt.args...)

			if !tt.isFloor {
				refuses(ctx, t, p.serving)
			}
			clients := connect(ctx, t, p.serving)
			publish(ctx, t, publisher, 0, !tt.isFloor)
			deliversInOrder(ctx, t, clients, 0)

			// A member that leaves is no trouble to the others.
			if err := clients[0].conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("close: %v", err)
			}
			publish(ctx, t, publisher, numMessages, !tt.isFloor)
			deliversInOrder(ctx, t, clients[1:], numMessages)
			pings(ctx, t, clients[1:])

			if err := p.stop(); err != nil {
				t.Errorf("end after SIGTERM: %v, want code 0", err)
			}
		})
	}
}

// refuses checks that only tokens that were signed with the secret are good.
func refuses(ctx context.Context, t *testing.T, peer serving) {
	t.Helper()
	for name, token := range map[string]string{
		"no token": "", "no JWT": "x", "another key": token(t, "u1", "another key"), "no user": token(t, "", secret),
	} {
		if c, err := dial(ctx, peer, token); err == nil {
			_ = c.conn.CloseNow() // the test has failed
			t.Errorf("%s: connected, want a refusal", name)
		}
	}
}

// connect returns clients that are members of room.
func connect(ctx context.Context, t *testing.T, peer serving) []*client {
	t.Helper()
	clients := make([]*client, numClients)
	errs := make([]error, numClients)
	var all sync.WaitGroup
	for i := range clients {
		token := token(t, "user"+strconv.Itoa(i), secret)
		all.Go(func() {
			if clients[i], errs[i] = dial(ctx, peer, token); errs[i] == nil {
				errs[i] = clients[i].join(ctx, room)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("connect and join: %v", err)
	}
	t.Cleanup(func() {
		for _, c := range clients {
			_ = c.conn.CloseNow() // most are closed by the peer's end
		}
	})
	return clients
}

func payload(name string, n int) string {
	return fmt.Sprintf(`{"type":"room_message","room":%q,"content":{"text":"é, \"quoted\""},"seq":%d}`, name, n)
}

// publish sends a burst of messages to room, numbered from first on, and one to
// everybody at the end. With others, another room gets messages in between.
func publish(ctx context.Context, t *testing.T, publisher *redis.Client, first int, others bool) {
	t.Helper()
	pipe := publisher.Pipeline()
	for i := first; i < first+numMessages; i++ {
		pipe.Publish(ctx, "websocket:room:"+room, payload(room, i))
		if others {
			pipe.Publish(ctx, "websocket:room:elsewhere", payload("elsewhere", i))
		}
	}
	pipe.Publish(ctx, "websocket:broadcast", payload("end", first+numMessages))
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// deliversInOrder checks that what publish sent arrives at each client, once, in
// order, unchanged, and nothing else.
func deliversInOrder(ctx context.Context, t *testing.T, clients []*client, first int) {
	t.Helper()
	var want []string
	for i := first; i < first+numMessages; i++ {
		want = append(want, payload(room, i))
	}
	want = append(want, payload("end", first+numMessages))

	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			var got []string
			for len(got) == 0 || got[len(got)-1] != want[len(want)-1] {
				line, err := c.next(ctx)
				if err != nil {
					t.Errorf("client %d, after %q: %v", i, got, err)
					return
				}
				got = append(got, unwrap(c.peer, line))
			}
			if !slices.Equal(got, want) {
				t.Errorf("client %d got %q, want %q", i, got, want)
			}
		})
	}
	all.Wait()
}

// unwrap returns the payload within what a peer with a protocol of its own sent.
func unwrap(peer serving, line []byte) string {
	start, end := bytes.Index(line, []byte(`{"type"`)), bytes.LastIndex(line, []byte(`"seq":`))
	if peer.Join == "" || start < 0 || end < 0 {
		return string(line)
	}
	end += bytes.IndexByte(line[end:], '}') + 1
	return string(line[start:end])
}

// pings waits until each client was pinged; their pongs are not missed, since no
// connection ends.
func pings(ctx context.Context, t *testing.T, clients []*client) {
	t.Helper()
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			ticker := time.NewTicker(pingInterval / 10)
			defer ticker.Stop()
			go func() {
				defer stop()
				for c.pings.Load() == 0 {
					select {
					case <-ctx.Done():
						return
					case <-ticker.C:
					}
				}
			}()
			// Control frames are handled while reading.
			if line, err := c.next(ctx); err == nil {
				t.Errorf("client %d got %q after the last message", i, line)
			}
			if c.pings.Load() == 0 {
				t.Errorf("client %d was not pinged", i)
			}
		})
	}
	all.Wait()
}
