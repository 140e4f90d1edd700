package pubsub

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// The embedded Redis keeps leases and windows, so its keys must expire.
func TestBus_EmbeddedKeysExpire(t *testing.T) {
	t.Parallel()
	b, err := Open(Config{EmbeddedListen: "127.0.0.1:0"}, func(Delivery) {}, zerolog.Nop())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer b.Close()
	ctx := t.Context()
	if err := b.Commands().Set(ctx, b.Prefix()+"x", "1", 20*time.Millisecond).Err(); err != nil {
		t.Fatalf("SET: %v", err)
	}
	redistest.Eventually(t, patience, func() error {
		n, err := b.Commands().Exists(ctx, b.Prefix()+"x").Result()
		if err == nil && n != 0 {
			return fmt.Errorf("EXISTS = %d, want 0", n)
		}
		return err
	})
}

// Commands survives a Redis that goes and comes back, without a retry.
func TestBus_CommandsComeBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b, err := Open(Config{URL: server.URL()}, func(Delivery) {}, zerolog.Nop())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer b.Close()
	if err := b.Commands().Ping(t.Context()).Err(); err != nil {
		t.Fatalf("PING: %v", err)
	}
	server.Restart()
	redistest.Eventually(t, patience, func() error { return b.Commands().Ping(t.Context()).Err() })
}
