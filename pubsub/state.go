package pubsub

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// State is what the Bus knows of its connection to Redis.
type State struct {
	// Connected says that Redis is there and has confirmed every channel
	// that was wanted when the connection came up.
	Connected bool
	// Since is when Connected last changed, or when the Bus was opened.
	Since time.Time
	// Subscriptions counts the channels that Redis has confirmed on the
	// present connection, Wanted those it should confirm, lingering ones
	// included. A user counts two channels.
	Subscriptions int
	Wanted        int
	// LastError is why Redis was last found to be away, "" before the first
	// time. It stays when Redis is back.
	LastError string
}

// Stats is a snapshot of the Bus's counters since Open, and two gauges.
type Stats struct {
	ReceivedMessages int64 // messages given to the Handler
	ReceivedBytes    int64 // their payload bytes
	UnknownMessages  int64 // messages on channels that are not ours, dropped
	// MalformedMessages counts what came on the live channel of a log and was
	// not published by Append; it was dropped.
	MalformedMessages int64

	PublishedMessages int64 // messages Redis has taken
	PublishedBytes    int64 // their payload bytes
	PublishErrors     int64 // accepted messages answered with an error
	RefusedAway       int64 // Publish returned ErrAway
	RefusedBusy       int64 // Publish returned ErrBusy
	QueuedMessages    int   // accepted and not answered yet
	QueuedBytes       int   // their payload bytes

	AppendedMessages  int64 // of PublishedMessages, those that a log took
	DuplicateMessages int64 // of those, the ones that it had already
	Asks              int64 // reads and other questions that Redis answered
	AskErrors         int64 // those that ended in an error
	AsksRefused       int64 // those that were not accepted: ErrAway, ErrBusy
	QueuedAsks        int   // accepted and not begun yet

	SubscribeCommands   int64 // SUBSCRIBE commands written, of many channels each
	UnsubscribeCommands int64 // UNSUBSCRIBE commands written
	Connects            int64 // times the connection came up
	Disconnects         int64 // times it was lost after it had come up
	ConnectErrors       int64 // attempts that did not get that far

	// Servers counts how often a server was reached or lost: in a Cluster any of the
	// masters.
	Servers int64

	ShardDisconnects int64 // in a Cluster, connections for live channels that were lost
	ShardMoves       int64 // live channels that found their slot's master to be another
}

// counters are the atomics behind Stats.
type counters struct {
	receivedMessages, receivedBytes                  atomic.Int64
	unknownMessages, malformedMessages               atomic.Int64
	publishedMessages, publishedBytes, publishErrors atomic.Int64
	refusedAway, refusedBusy                         atomic.Int64
	appendedMessages, duplicateMessages              atomic.Int64
	asks, askErrors, asksRefused                     atomic.Int64
	subscribes, unsubscribes                         atomic.Int64
	connects, disconnects, connectErrors             atomic.Int64
	shardConnects, shardDisconnects, shardMoves      atomic.Int64
}

func (c *counters) snapshot() Stats {
	return Stats{
		ReceivedMessages:    c.receivedMessages.Load(),
		ReceivedBytes:       c.receivedBytes.Load(),
		UnknownMessages:     c.unknownMessages.Load(),
		MalformedMessages:   c.malformedMessages.Load(),
		AppendedMessages:    c.appendedMessages.Load(),
		DuplicateMessages:   c.duplicateMessages.Load(),
		Asks:                c.asks.Load(),
		AskErrors:           c.askErrors.Load(),
		AsksRefused:         c.asksRefused.Load(),
		PublishedMessages:   c.publishedMessages.Load(),
		PublishedBytes:      c.publishedBytes.Load(),
		PublishErrors:       c.publishErrors.Load(),
		RefusedAway:         c.refusedAway.Load(),
		RefusedBusy:         c.refusedBusy.Load(),
		SubscribeCommands:   c.subscribes.Load(),
		UnsubscribeCommands: c.unsubscribes.Load(),
		Connects:            c.connects.Load(),
		Disconnects:         c.disconnects.Load(),
		ConnectErrors:       c.connectErrors.Load(),
		Servers:             c.connects.Load() + c.disconnects.Load() + c.shardConnects.Load() + c.shardDisconnects.Load(),

		ShardDisconnects: c.shardDisconnects.Load(),
		ShardMoves:       c.shardMoves.Load(),
	}
}

// status remembers whether Redis is there and logs the edges: one line when it
// goes away, one when it comes back, none per attempt above debug level.
type status struct {
	log zerolog.Logger

	mu        sync.Mutex // guards the fields below
	connected bool
	since     time.Time
	lastError string
	announced bool // the present away has its log line
}

// back notes that Redis is there and that channels are confirmed.
func (s *status) back(channels int) {
	s.mu.Lock()
	after, announced := time.Since(s.since), s.announced
	s.connected, s.announced, s.since = true, false, time.Now()
	s.mu.Unlock()

	if announced {
		s.log.Info().Dur("away", after).Int("channels", channels).Msg("redis is back")
		return
	}
	s.log.Info().Int("channels", channels).Msg("redis is connected")
}

// away notes that Redis could not be reached or was lost. It reports whether
// this is news: false while one failed attempt follows another.
func (s *status) away(err error) (news bool) {
	s.mu.Lock()
	news = !s.announced
	if s.connected {
		s.connected, s.since = false, time.Now()
	}
	s.announced, s.lastError = true, err.Error()
	s.mu.Unlock()

	if news {
		s.log.Warn().Err(err).Msg("redis is away")
		return true
	}
	s.log.Debug().Err(err).Msg("redis is still away")
	return false
}

// stopped notes the orderly end, which is no news.
func (s *status) stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected {
		s.connected, s.since = false, time.Now()
	}
}

// uptime returns how long Redis has been there, zero while it is away.
func (s *status) uptime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return 0
	}
	return time.Since(s.since)
}

func (s *status) state() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{Connected: s.connected, Since: s.since, LastError: s.lastError}
}
