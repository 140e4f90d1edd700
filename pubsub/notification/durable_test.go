package notification_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/notification"
	"github.com/ginforge/gateway/pubsub/redistest"
)

// A message that a replica must have is taken when one has it, and else not known
// to be.
func TestClient_WaitsForReplicas(t *testing.T) {
	master := redistest.Start(t)
	r := redis.NewClient(&redis.Options{Addr: master.Addr()})
	defer r.Close()
	c := notification.NewClient(r, notification.WithReplicas(1))
	send := func() error {
		return c.SendToRoom(context.Background(), &notification.RoomMessageRequest{ID: "a", Room: "r", Text: "t"})
	}
	if err := send(); !errors.Is(err, notification.ErrUnreplicated) {
		t.Errorf("without a replica: %v, want ErrUnreplicated", err)
	}
	redistest.Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port()), "--repl-diskless-sync-delay", "0")
	redistest.Eventually(t, patience, send)
	if n, err := r.XLen(context.Background(), "websocket:publish").Result(); err != nil || n < 2 {
		t.Errorf("the stream has %d entries, %v", n, err)
	}
}
