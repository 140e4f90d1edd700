package engine

import (
	"context"
	"testing"

	"github.com/coder/websocket"
)

func TestEngine_EchoesWhatAForeignClientSends(t *testing.T) {
	t.Parallel()
	for name, compress := range map[string]bool{"plain": false, "deflate": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEcho(t, func(c *Config) { c.Compression.Enabled = compress })
			ctx, cancel := context.WithTimeout(context.Background(), 3*patience) // for 34 MB, with the race detector
			defer cancel()
			ws, _, err := websocket.Dial(ctx, "ws://"+e.Addr().String()+"/echo",
				&websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
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
