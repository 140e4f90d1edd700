package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// hired is a worker that runs in this process.
type hired struct {
	t      *testing.T
	orders *json.Encoder
	tells  *json.Decoder
	in     io.Closer
	done   chan error
}

func hire(t *testing.T, cfg Config) *hired {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	h := &hired{t: t, orders: json.NewEncoder(inW), tells: json.NewDecoder(bufio.NewReader(outR)), in: inW, done: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	go func() {
		h.done <- Run(ctx, inR, outW)
		_ = outW.Close()
	}()
	t.Cleanup(func() {
		_ = inW.Close()
		_, _ = io.Copy(io.Discard, outR)
		cancel()
	})
	h.order(cfg)
	return h
}

func (h *hired) order(cmd any) {
	h.t.Helper()
	if err := h.orders.Encode(cmd); err != nil {
		h.t.Fatal(err)
	}
}

// await reads what the worker tells until it tells what is wanted.
func (h *hired) await(what string, wanted func(Tell) bool) Tell {
	h.t.Helper()
	for {
		var tell Tell
		if err := h.tells.Decode(&tell); err != nil {
			h.t.Fatalf("%s: %v", what, err)
		}
		if tell.Error != "" && !wanted(tell) {
			h.t.Fatalf("%s: the worker says %q", what, tell.Error)
		}
		if wanted(tell) {
			return tell
		}
	}
}

// faulty is a server that sends each member the given sequence numbers.
func faulty(t *testing.T, seqs ...uint32) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer c.CloseNow() //nolint:errcheck // the client has gone
		_, join, err := c.Read(r.Context())
		if err != nil || !strings.Contains(string(join), "join_room") {
			t.Errorf("first message %q, %v, want join_room", join, err)
			return
		}
		_ = c.Write(r.Context(), websocket.MessageText, []byte(`{"type":"joined","room":"bench"}`))
		for _, seq := range seqs {
			_ = c.Write(r.Context(), websocket.MessageText, AppendMessage(nil, Stamp{Window: 1, Seq: seq}, "bench", 133))
		}
		_, _, _ = c.Read(r.Context()) // until the client goes
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// What a server loses, repeats and swaps is found out.
func TestRun_FindsFaults(t *testing.T) {
	const members = 5
	h := hire(t, Config{
		Server: faulty(t, 0, 2, 1, 1, 4), Path: "/ws", Secret: "s", Count: members, Total: members,
		Rooms: 1, Mode: ModeRoom, Dialect: Plain,
	})
	h.order(Command{Do: "begin", Window: 1})
	h.order(Command{Do: "open", N: members})
	h.await("all messages", func(tell Tell) bool { return tell.Progress != nil && tell.Progress.Got == 4*members })
	h.order(Command{Do: "report"})
	r := h.await("a report", func(tell Tell) bool { return tell.Report != nil }).Report
	want := Counts{Received: 4 * members, Duplicated: members, OutOfOrder: members, Skipped: members}
	if r.Counts != want {
		t.Errorf("counts %+v, want %+v", r.Counts, want)
	}
	if r.Joined != members || r.Joining.TotalCount() != members || r.Latency.TotalCount() != 4*members {
		t.Errorf("%d joined, %d times of joining, %d latencies, want %d, %d, %d",
			r.Joined, r.Joining.TotalCount(), r.Latency.TotalCount(), members, members, 4*members)
	}
}

// A connection that was cut comes back, and joins again.
func TestRun_ComesBack(t *testing.T) {
	const members = 5
	h := hire(t, Config{
		Server: faulty(t), Path: "/ws", Secret: "s", Count: members, Total: members,
		Rooms: 1, Mode: ModeRoom, Dialect: Plain,
	})
	h.order(Command{Do: "open", N: members})
	h.await("joins", func(tell Tell) bool { return tell.Progress != nil && tell.Progress.Joined == members })
	h.order(Command{Do: "begin", Window: 1})
	h.order(Command{Do: "cut"})
	p := h.await("joins again", func(tell Tell) bool {
		return tell.Progress != nil && tell.Progress.Window == 1 && tell.Progress.Joins == members
	}).Progress
	if p.Joined != members || p.Closed != 0 {
		t.Errorf("%d joined, %d closed, want %d, 0", p.Joined, p.Closed, members)
	}
}

// A join that the server could not take comes again after a while, as 4101 asks.
func TestRun_JoinsAgain(t *testing.T) {
	joins := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer c.CloseNow() //nolint:errcheck // the client has gone
		for _, answer := range []string{`{"type":"error","content":{"code":4101,"message":"later"}}`, `{"type":"joined","room":"bench"}`} {
			if _, _, err := c.Read(r.Context()); err != nil {
				t.Errorf("read: %v", err)
				return
			}
			joins <- struct{}{}
			_ = c.Write(r.Context(), websocket.MessageText, []byte(answer))
		}
		_, _, _ = c.Read(r.Context()) // until the client goes
	}))
	t.Cleanup(server.Close)
	h := hire(t, Config{
		Server: server.Listener.Addr().String(), Path: "/ws", Secret: "s", Count: 1, Total: 1,
		Rooms: 1, Mode: ModeRoom, Dialect: Plain,
	})
	h.order(Command{Do: "open", N: 1})
	h.await("the join", func(tell Tell) bool { return tell.Progress != nil && tell.Progress.Joined == 1 })
	if n := len(joins); n != 2 {
		t.Errorf("%d joins, want 2", n)
	}
}

func TestRun_Refuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no users":  {Path: "/ws"},
		"no server": {Path: "/ws", Count: 1, Total: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := hire(t, cfg)
			h.await("an error", func(tell Tell) bool { return tell.Error != "" })
			if err := <-h.done; err == nil {
				t.Error("Run() = nil, want an error")
			}
		})
	}
}
