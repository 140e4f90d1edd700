package pubsub

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestLink_LetsMessagesGatherOnlyBehindOthers(t *testing.T) {
	t.Parallel()
	const coalesce = 10 * time.Millisecond
	tests := map[string]struct {
		coalesce  time.Duration
		delivered bool          // the read before brought messages
		since     time.Duration // it returned so long ago
		want      time.Duration // how long this one waits
	}{
		"behind a message":                 {coalesce, true, 0, coalesce},
		"some time behind a message":       {coalesce, true, 7 * time.Millisecond, 3 * time.Millisecond},
		"a lone message":                   {coalesce, true, coalesce, 0},
		"behind the answer to a SUBSCRIBE": {coalesce, false, 0, 0},
		"switched off":                     {0, true, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				redis, ours := net.Pipe()
				defer redis.Close()
				defer ours.Close()
				l := &link{bus: &Bus{cfg: Config{Coalesce: tt.coalesce}}, ctx: context.Background(), conn: ours}
				l.readAt, l.delivered = time.Now(), tt.delivered
				time.Sleep(tt.since)
				go func() { _, _ = redis.Write([]byte("x")) }() // Read fails if it does
				start := time.Now()
				if n, err := l.Read(make([]byte, 8)); n != 1 || err != nil {
					t.Fatalf("Read() = %d, %v, want 1, nil", n, err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("waited %v, want %v", got, tt.want)
				}
				if l.delivered || !l.readAt.Equal(time.Now()) {
					t.Errorf("delivered = %v, read at %v, want false and now", l.delivered, l.readAt)
				}
			})
		})
	}
}
