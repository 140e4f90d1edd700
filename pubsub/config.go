package pubsub

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// The defaults, which a zero field of Config stands for.
const (
	defaultURL            = "embedded"
	defaultEmbeddedListen = "127.0.0.1:6379"
	defaultPrefix         = "websocket:"
	defaultLinger         = 30 * time.Second
	defaultCoalesce       = 16 * time.Millisecond
	defaultQueueMessages  = 4096
	defaultQueueBytes     = 16 << 20
	defaultQueueAsks      = 8192
	defaultMinBackoff     = 100 * time.Millisecond
	defaultMaxBackoff     = 2 * time.Second
	defaultSettle         = 3 * time.Second
	defaultHealthInterval = 5 * time.Second
)

// maxCoalesce bounds Config.Coalesce: beyond it, delay would be felt.
const maxCoalesce = time.Second

// maxWaitReplicas bounds Config.WaitReplicas.
const maxWaitReplicas = 16

// maxPrefixBytes bounds Config.Prefix, which every channel name repeats.
const maxPrefixBytes = 128

// Config says which Redis a Bus talks to and how. A zero field means its
// default, except Linger and Coalesce, for which zero is a value.
type Config struct {
	// URL is "embedded" (the default: an in-process Redis for development
	// and demonstrations) or the address of a real one:
	//
	//	redis://[user:password@]host[:port][/db]                       one server
	//	rediss://...                                                   the same with TLS
	//	unix://[user:password@]/path/to/redis.sock[?db=N]              its socket
	//	redis+sentinel://[user:password@]host[:port],.../master[/db]   Sentinel
	//	redis+cluster://[user:password@]host[:port],...                Cluster
	//
	// rediss+sentinel and rediss+cluster are the last two with TLS. Special
	// characters in user and password are percent-encoded. Sentinels that
	// want credentials of their own get them from the query parameters
	// sentinel_username and sentinel_password.
	URL string

	// EmbeddedListen is where the embedded Redis listens ("127.0.0.1:6379").
	// When the port is taken, a free one is used and logged.
	EmbeddedListen string

	// Prefix starts every channel name ("websocket:").
	Prefix string

	// Linger is how long a channel stays subscribed after Unsubscribe, so
	// that a reconnecting client or a room that empties and fills costs
	// Redis nothing. Zero leaves at once. DefaultConfig has 30 s.
	Linger time.Duration

	// Coalesce is how long messages may be left unread that come close behind
	// others, so that they are delivered together: a lone message is never
	// delayed, a stream of more than one in this time by half of it on average.
	// Zero reads at once. DefaultConfig has 16 ms, a frame of a display.
	Coalesce time.Duration

	// QueueMessages and QueueBytes bound what Publish has accepted and Redis
	// has not answered yet (4096 messages, 16 MiB). Beyond either, Publish
	// returns ErrBusy.
	QueueMessages int
	QueueBytes    int

	// WaitReplicas is how many replicas must have what Append has written
	// before it is answered (0, at most 16), so that it survives the loss of
	// the master. When they do not within a second, the answer is ErrReplicas.
	// Not for the embedded Redis.
	WaitReplicas int

	// QueueAsks bounds how many reads and other questions wait for Redis
	// (8192). Beyond that they return ErrBusy.
	QueueAsks int

	// Settle is how long appends wait when another server answers than before,
	// or may do so (3 s), until nodes have put back what it lacks. It should be
	// longer than MaxBackoff, by the time that they need.
	Settle time.Duration

	// MinBackoff and MaxBackoff bound the pause between two attempts to
	// connect (100 ms, 2 s): it doubles from the one to the other, with
	// jitter so that nodes do not return in step.
	MinBackoff time.Duration
	MaxBackoff time.Duration

	// HealthInterval is how long Redis may say nothing before it is asked
	// (5 s). When it stays silent as long again, it counts as away.
	HealthInterval time.Duration
}

// DefaultConfig returns the configuration with every default spelled out.
func DefaultConfig() Config {
	c := Config{Linger: defaultLinger, Coalesce: defaultCoalesce}
	return c.withDefaults()
}

// Validate reports what is wrong with c, each problem by its configuration key
// with what is allowed. It never repeats any part of the URL: that may hold a
// password.
func (c Config) Validate() error {
	c = c.withDefaults()
	_, urlErr := parseURL(c.URL)
	errs := []error{urlErr, validateListen(c.EmbeddedListen), validatePrefix(c.Prefix)}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Linger >= 0, "redis.linger: %v is negative; want 0s (leave at once) or more", c.Linger)
	check(c.Coalesce >= 0 && c.Coalesce <= maxCoalesce,
		"redis.coalesce: %v; want 0s (deliver at once) to %v", c.Coalesce, maxCoalesce)
	check(c.QueueMessages > 0, "redis.queue_messages: %d; want 1 or more", c.QueueMessages)
	check(c.QueueBytes > 0, "redis.queue_bytes: %d; want 1 or more", c.QueueBytes)
	check(c.WaitReplicas >= 0 && c.WaitReplicas <= maxWaitReplicas,
		"redis.wait_replicas: %d; want 0 (do not wait) to %d", c.WaitReplicas, maxWaitReplicas)
	check(c.WaitReplicas == 0 || c.URL != "embedded",
		"redis.wait_replicas: %d; want 0 with the embedded Redis, which has no replicas", c.WaitReplicas)
	check(c.QueueAsks > 0, "pubsub: queue of %d questions; want 1 or more", c.QueueAsks)
	check(c.MinBackoff > 0 && c.MinBackoff <= c.MaxBackoff,
		"pubsub: backoff from %v to %v; want 0 < MinBackoff <= MaxBackoff", c.MinBackoff, c.MaxBackoff)
	check(c.Settle > 0, "pubsub: settle for %v; want more than 0s", c.Settle)
	check(c.HealthInterval > 0, "pubsub: health interval %v; want more than 0s", c.HealthInterval)
	return errors.Join(errs...)
}

// withDefaults returns c with its zero fields filled in.
func (c Config) withDefaults() Config {
	fill(&c.URL, defaultURL)
	fill(&c.EmbeddedListen, defaultEmbeddedListen)
	fill(&c.Prefix, defaultPrefix)
	fill(&c.QueueMessages, defaultQueueMessages)
	fill(&c.QueueBytes, defaultQueueBytes)
	fill(&c.QueueAsks, defaultQueueAsks)
	fill(&c.MinBackoff, defaultMinBackoff)
	fill(&c.Settle, defaultSettle)
	fill(&c.MaxBackoff, defaultMaxBackoff)
	fill(&c.HealthInterval, defaultHealthInterval)
	return c
}

// fill sets *field to def when it is zero.
func fill[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}

func validateListen(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("redis.embedded_listen: %q; want host:port, such as %q", addr, defaultEmbeddedListen)
	}
	return nil
}

func validatePrefix(prefix string) error {
	ok := len(prefix) <= maxPrefixBytes && utf8.ValidString(prefix)
	for _, r := range prefix {
		ok = ok && !unicode.IsControl(r) && !unicode.IsSpace(r)
	}
	if !ok {
		return fmt.Errorf("redis.prefix: %.40q; want at most %d bytes of text without spaces, such as %q",
			prefix, maxPrefixBytes, defaultPrefix)
	}
	return nil
}
