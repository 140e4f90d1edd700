package intake

import (
	"errors"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

// Config says what is taken, and how. A field that is zero has its default.
type Config struct {
	// Node names this process in leases and as a consumer. No other may have
	// the same, nor this one after a restart.
	Node string
	// Prefix begins every channel and key: "websocket:".
	Prefix string
	// Resolve says what becomes of a message for a channel, given without
	// the prefix, and published at that time. The same is to come of the same:
	// what is taken a second time is compared with the first. An error makes the
	// entry poison, and says why.
	Resolve func(channel, message string, at time.Time) (Message, error)
	// Settled returns the replication history of the server where nodes hear what
	// is published, "" if it does not say, and false while some may not be there
	// yet. Entries without a log wait for it. nil: all always hear.
	Settled func() (history string, ok bool)
	// DedupeWindow is how long an id is remembered (2 minutes).
	DedupeWindow time.Duration
	// LeaseTTL is how long the entries wait after their taker has died (3 s).
	LeaseTTL time.Duration
	// MaxDead is about how many poison entries are kept, the latest (10,000).
	MaxDead int64
}

// Message is what becomes of an entry.
type Message struct {
	// Log is where the message belongs. With an empty Name it is only
	// published, as it is, on its channel.
	Log   stream.Key
	Rules stream.Rules
	// Payload is what is kept or published.
	Payload []byte
	// ID is the message's own, "" for none.
	ID string
}

const (
	defaultWindow   = 2 * time.Minute
	defaultLeaseTTL = 3 * time.Second
	defaultMaxDead  = 10_000
)

// Validate reports the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case c.Node == "":
		return errors.New("intake: Node is empty")
	case c.Resolve == nil:
		return errors.New("intake: Resolve is nil")
	case c.DedupeWindow < 0 || c.LeaseTTL < 0 || c.MaxDead < 0:
		return errors.New("intake: DedupeWindow, LeaseTTL or MaxDead is negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	fill(&c.DedupeWindow, defaultWindow)
	fill(&c.LeaseTTL, defaultLeaseTTL)
	fill(&c.MaxDead, defaultMaxDead)
	return c
}

func fill[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
