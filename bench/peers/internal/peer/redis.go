package peer

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The channels of Redis, as the gateway has them. Peers take all rooms by one
// pattern instead of following interest.
const (
	roomPrefix       = "websocket:room:"
	broadcastChannel = "websocket:broadcast"
)

// subscription is the connection over which Redis delivers.
type subscription struct {
	client *redis.Client
	pubsub *redis.PubSub
}

// subscribe returns once Redis has confirmed.
func subscribe(ctx context.Context, url string) (*subscription, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("peer: redis: %w", err)
	}
	client := redis.NewClient(opt)
	s := &subscription{client: client, pubsub: client.PSubscribe(ctx, roomPrefix+"*")}
	if err := s.pubsub.Subscribe(ctx, broadcastChannel); err != nil {
		s.Close()
		return nil, fmt.Errorf("peer: subscribe: %w", err)
	}
	for range 2 {
		if _, err := s.pubsub.Receive(ctx); err != nil {
			s.Close()
			return nil, fmt.Errorf("peer: subscribe: %w", err)
		}
	}
	return s, nil
}

// deliver hands every payload to server until ctx ends or Redis is lost. It
// reads the connection itself, since the Channel of go-redis drops messages when
// its reader falls behind.
func (s *subscription) deliver(ctx context.Context, server Server) error {
	defer context.AfterFunc(ctx, s.Close)()
	for {
		m, err := s.pubsub.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("peer: receive: %w", err)
		}
		if room, ok := strings.CutPrefix(m.Channel, roomPrefix); ok {
			server.ToRoom(room, []byte(m.Payload))
		} else {
			server.ToAll([]byte(m.Payload))
		}
	}
}

// Close ends the connection. It may be called more than once.
func (s *subscription) Close() {
	_ = s.pubsub.Close() // says that it is closed already, or that the connection is gone
	_ = s.client.Close()
}
