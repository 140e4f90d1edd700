package session

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/admission"
	"github.com/ginforge/gateway/session/auth"
)

// Publisher takes what goes to other connections, on this node and on others. It
// never waits: it returns an error when the message was not accepted, one that
// wraps ErrAway when Redis cannot be reached, and calls done once otherwise.
type Publisher interface {
	PublishRoom(room string, payload []byte, done func(error)) error
	PublishUser(userID string, payload []byte, done func(error)) error
}

// Verifier checks a token; *auth.Verifier implements it.
type Verifier interface {
	Verify(token string) (auth.Identity, error)
}

// Manager makes sessions out of requests and brings what Redis delivers to them.
type Manager struct {
	// Set by NewManager, then unchanged.
	cfg                            Config
	frameRate, byteRate, abuseRate rate
	verifier                       Verifier
	gate                           *admission.Gate
	hub                            *room.Hub
	bus                            Publisher
	logs                           Logs
	log                            zerolog.Logger
	made                           time.Time
	idSeed                         uint64

	// Set by Together, before the engine starts.
	nodes Nodes
	limit DeviceLimit // nil: none

	// Set by Watch, before anything is received; nil: nobody.
	watch func(to Target, name string, offset uint64, payload string, f *engine.Frame)

	// Set by Serve, before the engine starts.
	engine   *engine.Engine
	endpoint *engine.Endpoint

	in inbound // owned by the reader of the bus

	// Safe from any goroutine.
	stats    counters
	listings listings
	refusals refusalLog
	devices  devices
	draining atomic.Bool
	numbers  atomic.Uint32 // of sessions made
	locals   *locals
	revoked  auth.Revoked
	// degradedAfter is the least number of the sessions that are told behind welcome
	// that Redis is away; 0 while it is not.
	degradedAfter atomic.Uint64

	undecided undecided
}

// NewManager makes a manager; Serve must be called before its first request. gate
// is run by the caller.
func NewManager(cfg Config, verifier Verifier, gate *admission.Gate, hub *room.Hub, bus Publisher, logs Logs, log zerolog.Logger) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Manager{
		cfg:       cfg,
		frameRate: cfg.Limits.frameRate(),
		byteRate:  cfg.Limits.byteRate(),
		abuseRate: cfg.Limits.abuseRate(),
		verifier:  verifier,
		gate:      gate,
		hub:       hub,
		nodes:     alone{hub, cfg.ReconnectWindow},
		bus:       bus,
		logs:      logs,
		log:       log,
		made:      time.Now(),
		idSeed:    rand.Uint64(),
		locals:    newLocals(),
	}, nil
}

// Serve tells the manager whose connections it gets.
func (m *Manager) Serve(e *engine.Engine) {
	m.engine = e
	m.endpoint = e.NewEndpoint(m.cfg.Limits.connection())
}

// idOf returns the id of the session of a number, which no other of this node has
// within four billion, and in all likelihood none of another node.
func (m *Manager) idOf(number uint32) uint64 { return m.idSeed + uint64(number)*0x9e3779b97f4a7c15 }

// StatusFrame makes the frame that tells of a user's status; it is what
// room.Config.Status wants.
func StatusFrame(userID, userName string, online bool) *engine.Frame {
	status := message.StatusOffline
	if online {
		status = message.StatusOnline
	}
	frame := engine.NewFrame(engine.OpText, message.AppendUserStatus(nil, userID, userName, status, time.Now().Unix()))
	return frame.Latest(statusKey(userID))
}
