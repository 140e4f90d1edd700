package engine

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"
)

// startEcho runs an engine with an echo endpoint at /echo.
func startEcho(t testing.TB, edit func(*Config)) (*Engine, string) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	if edit != nil {
		edit(&cfg)
	}
	mux := http.NewServeMux()
	e, err := New(cfg, mux, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	mux.Handle("/echo", e.EchoHandler(Limits{MessageBytes: 64 << 10, WriteBufferBytes: 256 << 10}))
	if err := e.Start(context.Background()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return e, "ws://" + e.Addr().String() + "/echo"
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestEngine_EchoesWhatAForeignClientSends(t *testing.T) {
	t.Parallel()
	for name, compress := range map[string]bool{"plain": false, "deflate": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := startEcho(t, func(c *Config) { c.Compression.Enabled = compress })
			ctx := testContext(t)
			ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
			if err != nil {
				t.Fatalf("Dial: %v", err)
			}
			ws.SetReadLimit(-1)
			for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20} {
				msg := make([]byte, size)
				for i := range msg {
					msg[i] = byte('a' + i%26)
				}
				if err := ws.Write(ctx, websocket.MessageText, msg); err != nil {
					t.Fatalf("Write(%d bytes): %v", size, err)
				}
				typ, got, err := ws.Read(ctx)
				if err != nil || typ != websocket.MessageText || string(got) != string(msg) {
					t.Fatalf("Read after %d bytes = %v, %d bytes, %v", size, typ, len(got), err)
				}
			}
			if err := ws.Close(websocket.StatusNormalClosure, "bye"); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}
