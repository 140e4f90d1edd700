package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// nbio closes a descriptor on whichever goroutine notices that it is dead, while a
// poller may hold an old event for that number; a connection accepted in between
// inherits both (see doc.go). The churn tests open and end connections as fast as
// they can and count those that ended without their client's doing, and frames
// that reached the wrong client.

// churnCount is the number of connections that each churn test opens.
func churnCount() int {
	switch {
	case testing.Short():
		return 3_000
	case raceEnabled: // each connection takes some ten times as long
		return 6_000
	default:
		return 30_000
	}
}

// churnServer knows its open connections in a dense slice, as a room does.
type churnServer struct {
	mu    sync.Mutex
	conns []*churnConn // guarded by mu, each knows its index

	sent atomic.Int64
	slow atomic.Int64
}

type churnConn struct {
	Conn
	server *churnServer
	frame  *Frame // names the client
	index  int    // guarded by server.mu
}

func (c *churnConn) OnMessage(Opcode, []byte) {}
func (c *churnConn) OnCaughtUp()              {}
func (c *churnConn) OnDeadline()              {}

func (c *churnConn) OnSlow() {
	c.server.slow.Add(1)
	c.Close(CloseReason{Code: ClosePolicy})
}

func (c *churnConn) OnClose(CloseCode) {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.conns[len(s.conns)-1]
	s.conns[c.index], last.index = last, c.index
	s.conns = s.conns[:len(s.conns)-1]
}

func (s *churnServer) add(c *churnConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.index = len(s.conns)
	s.conns = append(s.conns, c)
}

// broadcast sends every connection its frame, over and over, until ctx ends.
func (s *churnServer) broadcast(ctx context.Context) {
	var batch []*churnConn
	for ctx.Err() == nil {
		s.mu.Lock()
		batch = append(batch[:0], s.conns...)
		s.mu.Unlock()
		for _, c := range batch {
			if c.Send(c.frame) == nil {
				s.sent.Add(1)
			}
		}
		runtime.Gosched()
	}
}

// churn runs the client process against an engine, with writers goroutines that
// broadcast, and returns what the clients saw.
func churn(t *testing.T, writers int) *churnResult {
	t.Helper()
	s := &churnServer{}
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		ep := e.NewEndpoint(testLimits)
		mux.HandleFunc("/churn", func(w http.ResponseWriter, r *http.Request) {
			id := r.URL.Query().Get("id")
			size := 100
			if strings.HasPrefix(id, "deaf") {
				size = 32 << 10
			}
			c := &churnConn{server: s, frame: NewFrame(OpBinary, []byte(id+" "+strings.Repeat("x", size)))}
			if err := e.Upgrade(w, r, ep, "", &c.Conn, c); err != nil {
				t.Errorf("Upgrade: %v", err)
				return
			}
			s.add(c)
		})
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() { s.broadcast(ctx) })
	}
	plan := churnPlan{Addr: e.Addr().String(), Count: churnCount(), Workers: 300, Frames: writers > 0}
	start := time.Now()
	res := runChurnClient(t, plan)
	took := time.Since(start)
	cancel()
	wg.Wait()

	t.Logf("%d connections in %s: %d ended without their client's doing, %d wrong frames, %d unclean; %d frames sent, %d read, %d peers too slow",
		res.Opened, took.Round(time.Millisecond), res.Ended, res.Wrong, res.Unclean, s.sent.Load(), res.Frames, s.slow.Load())
	for _, x := range res.Examples {
		t.Log(x)
	}
	eventually(t, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if st := e.Stats(); st.Open != 0 || st.WebSockets != 0 || st.PendingBytes != 0 || len(s.conns) != 0 {
			return fmt.Errorf("left behind: %d open, %d upgraded, %d bytes pending, %d in the table", st.Open, st.WebSockets, st.PendingBytes, len(s.conns))
		}
		return nil
	})
	return res
}

// runChurnClient runs the client process to its end.
func runChurnClient(t *testing.T, plan churnPlan) *churnResult {
	t.Helper()
	arg, err := json.Marshal(plan)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), churnEnv+"="+string(arg))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("client process: %v\n%s", err, stderr.Bytes())
	}
	res := &churnResult{}
	if err := json.Unmarshal(out, res); err != nil {
		t.Fatalf("client process said %q: %v", out, err)
	}
	return res
}

func TestChurn_WithoutBroadcastsNoConnectionEndsByItself(t *testing.T) {
	res := churn(t, 0)
	if res.Opened != int64(churnCount()) || res.Ended != 0 || res.Wrong != 0 || res.Unclean != 0 {
		t.Errorf("opened %d, ended %d, wrong %d, unclean %d, want %d, 0, 0, 0",
			res.Opened, res.Ended, res.Wrong, res.Unclean, churnCount())
	}
}

func TestChurn_BroadcastsToClosingPeersHurtNobodyElse(t *testing.T) {
	res := churn(t, 2)
	if res.Wrong != 0 {
		t.Errorf("%d frames reached the wrong client", res.Wrong)
	}
	if most := int64(churnCount() / 10_000); res.Ended > most {
		t.Errorf("%d of %d connections ended without their client's doing, at most %d may", res.Ended, res.Opened, most)
	}
}
