package session

import (
	"fmt"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
)

// Config says what sessions may do.
type Config struct {
	// Node is this node's name, as welcome tells it.
	Node string
	// Cookie names a cookie that may hold the token; empty for none.
	Cookie string
	// Subprotocols are the WebSocket subprotocols that are confirmed when a
	// client offers them.
	Subprotocols []string
	// PingInterval and ReconnectWindow are told to clients in welcome;
	// reconnects are spread over the window.
	PingInterval    time.Duration
	ReconnectWindow time.Duration
	// Move says how clients are sent to other nodes.
	Move Move
	// MaxAge is how old a connection may become before its client is asked for
	// a new one, less up to a quarter, so that those who came together do not go
	// together. 0: any age.
	MaxAge     time.Duration
	Limits     Limits
	Namespaces Namespaces
	// DataUpdate is how messages of type data_update are delivered where no
	// namespace says it.
	DataUpdate Delivery
	Inbox      History // of each user
}

// Move says how clients are sent to other nodes: by a frame that asks them to open
// another connection and, when they have had time for that, a close frame.
type Move struct {
	Rate  int           // clients asked in a second
	Grace time.Duration // from the frame that asks until the connection is closed
}

// Limits bounds what one client may ask for.
type Limits struct {
	MessageBytes     int // one frame from the client, and one payload from Redis
	WriteBufferBytes int // what may wait for a slow reader
	ReplayBytes      int // what one replay may have, and may wait beyond that
	RoomNameBytes    int // at most 255
	JSONDepth        int // nesting of a frame, the envelope being one
	ProtocolErrors   int // malformed frames a minute until the connection is closed
	FramesPerSecond  int // sustained rate of frames; presence of a room counts as ten
	FramesBurst      int // frames at once
	BytesPerSecond   int // sustained rate of bytes in frames
	BytesBurst       int // bytes at once, at least one message
	WatchedUsers     int // users in one watch, unwatch or presence
}

// Validate reports the first setting that is out of its range.
func (c Config) Validate() error {
	l := c.Limits
	for _, v := range []struct {
		name           string
		value, low, up int
	}{
		{"message_bytes", l.MessageBytes, 256, 16 << 20},
		{"write_buffer_bytes", l.WriteBufferBytes, 4 << 10, 1 << 30},
		{"replay_bytes", l.ReplayBytes, 4 << 10, 1 << 30},
		{"room_name_bytes", l.RoomNameBytes, 1, 255},
		{"json_depth", l.JSONDepth, 2, 1000},
		{"protocol_errors", l.ProtocolErrors, 1, 1 << 20},
		{"frames_per_second", l.FramesPerSecond, 1, 1 << 20},
		{"frames_burst", l.FramesBurst, 1, 1 << 20},
		{"bytes_per_second", l.BytesPerSecond, 1, 1 << 30},
		{"bytes_burst", l.BytesBurst, l.MessageBytes, 1 << 30},
		{"watched_users", l.WatchedUsers, 1, 10_000},
	} {
		if v.value < v.low || v.value > v.up {
			return fmt.Errorf("session: limits.%s is %d: allowed is %d to %d", v.name, v.value, v.low, v.up)
		}
	}
	if c.Move.Rate < 1 || c.Move.Grace < 0 || c.MaxAge < 0 {
		return fmt.Errorf("session: drain.rate is %d, drain.grace %s and session.max_age %s: allowed are at least 1, 0s and 0s",
			c.Move.Rate, c.Move.Grace, c.MaxAge)
	}
	for _, v := range []struct {
		name      string
		perSecond int
		burst     int
	}{
		{"frames_burst", l.FramesPerSecond, l.FramesBurst},
		{"bytes_burst", l.BytesPerSecond, l.BytesBurst},
	} {
		if most := v.perSecond * int(LongestBurst/time.Second); v.burst > most {
			return fmt.Errorf("session: limits.%s is %d: allowed is what comes in %s, %d", v.name, v.burst, LongestBurst, most)
		}
	}
	if err := c.Inbox.validate("inbox"); err != nil {
		return err
	}
	if err := c.DataUpdate.validate("delivery.data_update"); err != nil {
		return err
	}
	return c.Namespaces.validate()
}

func (l Limits) frames() message.Limits {
	return message.Limits{Bytes: l.MessageBytes, Depth: l.JSONDepth}
}

func (l Limits) connection() engine.Limits {
	return engine.Limits{MessageBytes: l.MessageBytes, WriteBufferBytes: l.WriteBufferBytes, ReplayBytes: l.ReplayBytes}
}
