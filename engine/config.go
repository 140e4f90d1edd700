package engine

import (
	"fmt"
	"time"
)

// Config says how an Engine listens and what it allows. The zero value is not
// usable; start from DefaultConfig.
type Config struct {
	// Addr is the TCP address to listen on, as in net.Listen.
	Addr string
	// Pollers is the number of epoll loops; 0 means one per CPU.
	Pollers int
	// MaxConnections bounds the open connections, upgraded or not; 0 derives
	// the bound from the limit on open files.
	MaxConnections int
	// HandshakeTimeout is how long an accepted connection may take until it is
	// upgraded, and how long a plain HTTP connection is kept. Whole seconds.
	HandshakeTimeout time.Duration
	// CloseTimeout is how long the peer may take to answer a close frame before
	// the connection is cut. Whole seconds.
	CloseTimeout time.Duration
	// PingInterval is the time between two pings to one connection, and
	// PongTimeout how long after a ping any byte must have arrived. Whole
	// seconds, PongTimeout < PingInterval.
	PingInterval time.Duration
	PongTimeout  time.Duration
	// PongMissed is the close code and reason for a peer that went silent.
	PongMissed CloseReason
	// CloseText makes the text of the close frames that end connections for
	// their peer's mistakes, from what the mistake was: at most 123 bytes. Nil
	// sends that as it is. Called by pollers; must not block.
	CloseText func(why string) string
	// Origins lists the values of the Origin header that may connect: "*", a
	// full origin, or a pattern with one leading "*." in its host. Empty means
	// the origin must be the host the request was sent to. Requests without an
	// Origin header do not come from a browser's script and are let through.
	Origins []string
	// Compression turns permessage-deflate on (RFC 7692, without context
	// takeover).
	Compression Compression
}

// Compression configures permessage-deflate.
type Compression struct {
	Enabled bool
	// Level is the DEFLATE level, 1 (fast) to 9 (small).
	Level int
	// MinBytes is the smallest payload worth compressing.
	MinBytes int
}

// Limits bounds what one connection may make the engine hold in memory.
type Limits struct {
	// MessageBytes bounds one incoming message, after inflation.
	MessageBytes int
	// WriteBufferBytes bounds the bytes that wait for a slow reader.
	WriteBufferBytes int
	// ReplayBytes is how much more may wait while the peer has a replay to read;
	// see Conn.Replay.
	ReplayBytes int
}

// DefaultConfig returns the configuration a gateway runs with when nothing is
// said otherwise.
func DefaultConfig() Config {
	return Config{
		Addr:             ":8087",
		HandshakeTimeout: 10 * time.Second,
		CloseTimeout:     5 * time.Second,
		PingInterval:     25 * time.Second,
		PongTimeout:      10 * time.Second,
		PongMissed:       CloseReason{Code: CloseGoingAway},
		Compression:      Compression{Level: 1, MinBytes: 256},
	}
}

// maxWheelSeconds bounds every configured duration, since the timing wheel has
// one slot for each second of the longest.
const maxWheelSeconds = 600

// Validate reports the first setting that is out of its range.
func (c Config) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"handshake_timeout", c.HandshakeTimeout},
		{"close_timeout", c.CloseTimeout},
		{"ping_interval", c.PingInterval},
		{"pong_timeout", c.PongTimeout},
	} {
		if d.value < time.Second || d.value > maxWheelSeconds*time.Second {
			return fmt.Errorf("engine: %s is %s: allowed is 1s to %ds", d.name, d.value, maxWheelSeconds)
		}
	}
	if c.PongTimeout >= c.PingInterval {
		return fmt.Errorf("engine: pong_timeout is %s: it must be shorter than ping_interval (%s)", c.PongTimeout, c.PingInterval)
	}
	if c.Compression.Level < 1 || c.Compression.Level > 9 {
		return fmt.Errorf("engine: compression.level is %d: allowed is 1 to 9", c.Compression.Level)
	}
	if c.Pollers < 0 || c.MaxConnections < 0 || c.Compression.MinBytes < 0 {
		return fmt.Errorf("engine: pollers, max_connections and compression.min_bytes must not be negative")
	}
	for _, o := range c.Origins {
		if err := checkOriginPattern(o); err != nil {
			return err
		}
	}
	return nil
}
