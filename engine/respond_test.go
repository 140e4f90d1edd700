package engine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// startSoon runs an engine whose /ws holds its responses back, and hands every
// connection to the test.
func startSoon(t *testing.T) (*Engine, <-chan *recorder) {
	t.Helper()
	conns := make(chan *recorder, 100)
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		ep := e.NewEndpoint(testLimits)
		mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
			rec := newRecorder()
			if err := e.UpgradeSoon(w, r, ep, "", &rec.Conn, rec); err != nil {
				t.Errorf("UpgradeSoon: %v", err)
				return
			}
			conns <- rec
		})
	})
	return e, conns
}

// Whatever comes first, the peer gets the response and then that, nothing twice.
func TestUpgradeSoon_TheResponseComesInFrontOfEverything(t *testing.T) {
	t.Parallel()
	hello := NewFrame(OpText, []byte("hello"))
	for name, tt := range map[string]struct {
		first func(*Conn) error
		b0    byte
		want  string
	}{
		"Send":     {func(c *Conn) error { return c.Send(hello) }, 0x81, "hello"},
		"SendAll":  {func(c *Conn) error { _, err := c.SendAll([]*Frame{hello}, nil); return err }, 0x81, "hello"},
		"Replay":   {func(c *Conn) error { _, err := c.Replay([]*Frame{hello}, nil); return err }, 0x81, "hello"},
		"SendText": {func(c *Conn) error { return c.SendText([]byte("hello")) }, 0x81, "hello"},
		"ping":     {func(c *Conn) error { c.ping(); return nil }, 0x89, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, conns := startSoon(t)
			p := dialTCP(t, e)
			p.send([]byte(handshake("/ws")))
			c := receive(t, conns, "connection")
			if err := tt.first(&c.Conn); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			p.readUpgrade()
			p.want(tt.b0, []byte(tt.want))
			if err := c.SendText([]byte("behind")); err != nil {
				t.Fatalf("SendText: %v", err)
			}
			p.want(0x81, []byte("behind"))
			p.close(closePayload(1000, ""), CloseNormal)
		})
	}
}

func TestUpgradeSoon_TheFirstFrameIsInTheSameWrite(t *testing.T) {
	t.Parallel()
	e, conns := startSoon(t)
	p := dialTCP(t, e)
	p.send([]byte(handshake("/ws")))
	c := receive(t, conns, "connection")
	if err := c.SendText([]byte("welcome")); err != nil {
		t.Fatal(err)
	}
	// On the loopback interface one write is one packet.
	packet := make([]byte, 4096)
	n, err := p.conn.Read(packet)
	if got := string(packet[:n]); err != nil || !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\n\x81\x07welcome") {
		t.Errorf("the first packet is %q, %v, want response and frame", got, err)
	}
}

func TestUpgradeSoon_WithoutAFrameTheResponseComesBeforeLong(t *testing.T) {
	t.Parallel()
	e, conns := startSoon(t)
	p := dialTCP(t, e)
	p.send([]byte(handshake("/ws")))
	p.readUpgrade()
	c := receive(t, conns, "connection")
	if err := c.SendText([]byte("later")); err != nil {
		t.Fatal(err)
	}
	p.want(0x81, []byte("later"))
}

// A client may send before it has the response: what answers it comes behind.
func TestUpgradeSoon_AnswersFramesOfTheSamePacket(t *testing.T) {
	t.Parallel()
	e, conns := startSoon(t)
	p := dialTCP(t, e)
	p.send(append([]byte(handshake("/ws")), masked(0x89, []byte("early"))...))
	p.readUpgrade()
	p.want(0x8a, []byte("early"))
	receive(t, conns, "connection").Close(CloseReason{CloseNormal, ""})
	p.wantClose(CloseNormal)
}

func TestUpgradeSoon_APeerThatGoesLeavesNothing(t *testing.T) {
	t.Parallel()
	e, conns := startSoon(t)
	p := dialTCP(t, e)
	p.send([]byte(handshake("/ws")))
	c := receive(t, conns, "connection")
	if err := p.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if code := receive(t, c.closed, "OnClose"); code != CloseAbnormal {
		t.Errorf("OnClose(%d), want %d", code, CloseAbnormal)
	}
	eventually(t, func() error {
		if s := e.Stats(); s.Behind != 0 || s.Open != 0 || e.stats.pending.Load() != 0 {
			return fmt.Errorf("left: %d connections, %d behind, %d bytes", s.Open, s.Behind, e.stats.pending.Load())
		}
		return nil
	})
}
