package sequencer

import (
	"errors"
	"fmt"
	"time"

	"github.com/ginforge/gateway/pubsub/stream"
)

// Partitions is how many partitions the channels are spread over. All nodes
// must agree.
const Partitions = 8

// Config says what is sequenced, and how. A field that is zero has its default.
type Config struct {
	// Node names this process in leases and marks. No other may have the
	// same, nor this one after a restart.
	Node string
	// Prefix begins every channel and key: "websocket:".
	Prefix string
	// Patterns are the channels that are followed, in Redis' patterns and
	// with the prefix; no channel may match two of them. Without any there is
	// nothing to do.
	Patterns []string
	// Resolve returns the log that a channel's messages belong into, given
	// its name without the prefix; false for channels without. It runs for
	// each message, on Run's goroutine, and must not block.
	Resolve func(channel string) (stream.Key, bool)
	// Prepare turns a message into what its log keeps, on a goroutine that
	// may take its time. An error drops the message.
	Prepare func(channel, payload string) (stream.Append, error)

	// LeaseTTL is how long a leader's silence lasts before the standby takes
	// over, 300 ms or more (3 s).
	LeaseTTL time.Duration
	// MarkEvery is how often a leader says how far it is while there are
	// messages (300 ms).
	MarkEvery time.Duration
	// Settle is how long the leader of a new chain leaves the logs to those
	// who have to end the chain before (250 ms).
	Settle time.Duration
	// Limits bound what each partition keeps (262,144 messages, 64 MiB). A
	// node that leads stops reading long before, so that it is what a standby
	// may keep of what Redis has for a leader that is behind.
	Limits Limits
}

// The defaults of Config.
const (
	defaultLeaseTTL  = 3 * time.Second
	defaultMarkEvery = 300 * time.Millisecond
	defaultSettle    = 250 * time.Millisecond
	defaultMessages  = 256 << 10
	defaultBytes     = 64 << 20
	minLeaseTTL      = 300 * time.Millisecond
)

// Validate reports the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case c.Node == "":
		return errors.New("sequencer: Node is empty")
	case c.Resolve == nil || c.Prepare == nil:
		return errors.New("sequencer: Resolve or Prepare is nil")
	case c.LeaseTTL != 0 && c.LeaseTTL < minLeaseTTL:
		return fmt.Errorf("sequencer: LeaseTTL is %v: allowed is %v and more", c.LeaseTTL, minLeaseTTL)
	}
	return nil
}

func (c Config) withDefaults() Config {
	fill(&c.LeaseTTL, defaultLeaseTTL)
	fill(&c.MarkEvery, defaultMarkEvery)
	fill(&c.Settle, defaultSettle)
	fill(&c.Limits.Messages, defaultMessages)
	fill(&c.Limits.Bytes, defaultBytes)
	return c
}

func fill[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
