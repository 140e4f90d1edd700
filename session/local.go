package session

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ginforge/gateway/room"
)

// ErrAway is returned by a Publisher that cannot reach Redis: nothing was
// published.
var ErrAway = errors.New("session: redis is away")

// What may wait to be delivered on this node alone.
const (
	maxLocalMessages = 1024
	maxLocalBytes    = 16 << 20
)

// locals carries messages of rooms that keep no history from their senders to the
// members on this node, while Redis is away: half of a room is better than none,
// and nothing is promised to the other half, which such a room never had. It takes
// the place of the reader of the bus, since senders must not wait for workers.
type locals struct {
	queue chan localMessage
	bytes atomic.Int64 // that wait in queue
}

type localMessage struct {
	room    string
	payload []byte
}

func newLocals() *locals { return &locals{queue: make(chan localMessage, maxLocalMessages)} }

// put hands a message over; it reports false when too much waits already. It does
// not wait.
func (l *locals) put(room string, payload []byte) bool {
	if l.bytes.Add(int64(len(payload))) > maxLocalBytes {
		l.bytes.Add(-int64(len(payload)))
		return false
	}
	select {
	case l.queue <- localMessage{room, payload}:
		return true
	default:
		l.bytes.Add(-int64(len(payload)))
		return false
	}
}

// DeliverLocal delivers what clients say in rooms while Redis is away, until ctx
// ends.
func (m *Manager) DeliverLocal(ctx context.Context) error {
	var in inbound
	for {
		select {
		case msg := <-m.locals.queue:
			m.locals.bytes.Add(-int64(len(msg.payload)))
			if frame := m.frameOf(&in, ToRoom, msg.room, string(msg.payload)); frame != nil {
				m.hub.Deliver(room.Room(msg.room), frame)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// sentLocally answers a message that was delivered on this node alone.
var sentLocally = []byte(`{"local":true}`)
