package stream

import (
	"context"
	_ "embed" // of the scripts
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// The scripts. Each begins with common.lua.
var (
	// LuaElsewhere begins a script that is meant for one server, and names its
	// replication history: see Append.History. It defines elsewhere(history), whose
	// result is to be returned unless it is nil.
	//go:embed lua/elsewhere.lua
	LuaElsewhere string
	//go:embed lua/common.lua
	luaCommon string
	//go:embed lua/range.lua
	luaRange string
	//go:embed lua/append.lua
	luaAppend string
	//go:embed lua/read.lua
	luaRead string
	//go:embed lua/restore.lua
	luaRestore string
	//go:embed lua/open.lua
	luaOpen string
	//go:embed lua/ack.lua
	luaAck string

	sources = []string{
		LuaElsewhere + luaCommon + luaAppend, luaCommon + luaRange + luaRead, luaCommon + luaRestore,
		luaCommon + luaRange + luaOpen, luaCommon + luaAck,
	}
	appendScript  = redis.NewScript(sources[0])
	readScript    = redis.NewScript(sources[1])
	restoreScript = redis.NewScript(sources[2])
	openScript    = redis.NewScript(sources[3])
	ackScript     = redis.NewScript(sources[4])
)

const (
	// DefaultMetaTTL is how long a log's epoch and offset outlive its last
	// message.
	DefaultMetaTTL = 30 * 24 * time.Hour
	// DefaultDedupeWindow is how long a dedupe key is remembered.
	DefaultDedupeWindow = 2 * time.Minute
	// MaxReadBytes bounds the payload bytes of one Read, which still returns
	// an entry that is longer by itself.
	MaxReadBytes = 4 << 20
	// MaxDevices is how many devices of a user have positions of their own.
	MaxDevices = 64
	// maxRedirects is how often what a Cluster's node refuses to do is tried
	// at another.
	maxRedirects = 4
	// redirectPause is what the first redirection waits, for go-redis to learn
	// of the change; each waits twice as long as the one before.
	redirectPause = 25 * time.Millisecond
)

// ErrRules is returned for a log whose rules or names cannot be.
var ErrRules = errors.New("stream: a log needs a name, a size and a ttl")

// ErrAnswer is returned when a script answers something else than it should.
var ErrAnswer = errors.New("stream: redis gives an answer that is not the script's")

// Position is a place in a log: after the message of this offset.
type Position struct {
	Epoch  string // "" when the log has none: nothing is known of it
	Offset uint64 // 0 before the first message
}

// String returns the position for people: "k3v9a:42".
func (p Position) String() string { return p.Epoch + ":" + strconv.FormatUint(p.Offset, 10) }

// Rules bound what a log keeps.
type Rules struct {
	Size int           // messages, 1 or more
	TTL  time.Duration // of a message, 1 ms or more
}

// valid reports whether a log can be kept so.
func (r Rules) valid() bool { return r.Size > 0 && r.TTL >= time.Millisecond }

// Entry is a kept message.
type Entry struct {
	Offset  uint64
	Token   string // the dedupe token, "" for none
	Payload string
}

// Options configure a Store.
type Options struct {
	// Prefix starts every key and channel: "websocket:".
	Prefix string
	// Sharded publishes live messages by SPUBLISH, in the slot of their log:
	// for Redis Cluster.
	Sharded bool
	// MetaTTL is how long epoch and offset of a log outlive its last message
	// (30 days); at least twice the log's own ttl.
	MetaTTL time.Duration
}

// Store keeps logs in Redis.
type Store struct {
	client redis.UniversalClient
	opt    Options
}

// New returns a Store on client. A client that retries commands may append
// twice: the caller sets MaxRetries, or MaxRedirects in a Cluster, to -1.
func New(client redis.UniversalClient, opt Options) *Store {
	if opt.MetaTTL <= 0 {
		opt.MetaTTL = DefaultMetaTTL
	}
	return &Store{client: client, opt: opt}
}

// Load has Redis know the scripts, each master of a Cluster. Where that fails
// they are loaded as they are used.
func (s *Store) Load(ctx context.Context) {
	load := func(ctx context.Context, c redis.UniversalClient) {
		pipe := c.Pipeline()
		for _, source := range sources {
			pipe.ScriptLoad(ctx, source) // redis.Script.Load forgets its hash in a pipeline
		}
		_, _ = pipe.Exec(ctx) // see above
	}
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		_ = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			load(ctx, master)
			return nil
		})
		return
	}
	load(ctx, s.client)
}

// publish returns the command that reaches a live channel.
func (s *Store) publish() string {
	if s.opt.Sharded {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// metaTTL returns for how long, in ms, the meta of a log is kept after a use.
func (s *Store) metaTTL(ttl time.Duration) int64 {
	return max(s.opt.MetaTTL, 2*ttl).Milliseconds()
}

// newEpoch draws an epoch: 64 random bits.
func newEpoch() string { return strconv.FormatUint(rand.Uint64(), 36) }

// run runs one script, wherever its keys are.
func (s *Store) run(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]string, error) {
	var answer []string
	err := s.redirected(ctx, func() error {
		cmd := script.EvalSha(ctx, s.client, keys, args...)
		if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			cmd = script.Eval(ctx, s.client, keys, args...)
		}
		var err error
		answer, err = cmd.StringSlice()
		return err
	})
	return answer, err
}

// redirected calls do again while a Cluster says that the slot is elsewhere,
// or on its way there. Such a command was not executed.
func (s *Store) redirected(ctx context.Context, do func() error) (err error) {
	for attempt := range maxRedirects {
		if err = do(); !movable(err) {
			return err
		}
		if !s.moved(ctx, attempt) {
			break
		}
	}
	return err
}

// moved has go-redis take in the new shape of the Cluster, and waits a while for
// it. It reports false when there is no point in trying again.
func (s *Store) moved(ctx context.Context, attempt int) bool {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return false
	}
	cluster.ReloadState(ctx) // in the background
	timer := time.NewTimer(redirectPause << attempt)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// movable reports whether err says that another node of the Cluster should be
// asked.
func movable(err error) bool {
	for _, prefix := range [...]string{"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// answerReader reads a script's answer, element after element.
type answerReader struct {
	rest []string
	err  error
}

func (r *answerReader) text() string {
	if len(r.rest) == 0 {
		r.err = ErrAnswer
		return ""
	}
	s := r.rest[0]
	r.rest = r.rest[1:]
	return s
}

func (r *answerReader) offset() uint64 {
	n, err := parseOffset(r.text())
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return n
}

func (r *answerReader) position() Position { return Position{r.text(), r.offset()} }

// entries reads all that is left.
func (r *answerReader) entries() []Entry {
	entries := make([]Entry, 0, len(r.rest)/3)
	for len(r.rest) > 0 && r.err == nil {
		e := Entry{Offset: r.offset(), Token: r.text(), Payload: r.text()}
		if e.Token == noToken {
			e.Token = ""
		}
		entries = append(entries, e)
	}
	return entries
}
