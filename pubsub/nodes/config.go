package nodes

import (
	"fmt"
	"time"
)

// Config says who a node is. A zero duration means its default.
type Config struct {
	// ID, Name, Version, Addr and Started are told to the others, see Node.
	ID      string
	Name    string
	Version string
	Addr    func() string // nil when there is none; asked at each renewal
	Started time.Time

	// Prefix begins every key and channel.
	Prefix string
	// TTL is how long a lease lasts (10 s): who dies without a word is known
	// to be gone after that. It is renewed three times as often.
	TTL time.Duration
	// AnswerTimeout is how long other nodes may take to answer (500 ms).
	AnswerTimeout time.Duration
}

// The defaults of Config.
const (
	DefaultTTL           = 10 * time.Second
	defaultAnswerTimeout = 500 * time.Millisecond
)

// Validate reports the first setting that is out of its range.
func (c Config) Validate() error {
	switch {
	case c.ID == "" || len(c.ID) > 256:
		return fmt.Errorf("nodes: id %.40q: want 1 to 256 bytes", c.ID)
	case c.TTL < 0 || c.TTL > 0 && c.TTL < 300*time.Millisecond || c.TTL > 10*time.Minute:
		return fmt.Errorf("nodes: lease of %v: want 300ms to 10m", c.TTL)
	case c.AnswerTimeout < 0:
		return fmt.Errorf("nodes: answer timeout %v is negative", c.AnswerTimeout)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.AnswerTimeout == 0 {
		c.AnswerTimeout = defaultAnswerTimeout
	}
	return c
}
