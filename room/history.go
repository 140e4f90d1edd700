package room

import (
	"fmt"
	"time"

	"github.com/ginforge/gateway/engine"
)

// Position is a place in a log. Offsets grow by one for each message of an epoch;
// another epoch is another log under the same name, because the earlier one was
// lost.
type Position struct {
	Epoch  string
	Offset uint64 // 0: before the first message
}

// Entry is one message that a log keeps.
type Entry struct {
	Offset uint64
	// Token is by what the store knows the message again, for Restore.
	Token   string
	Payload string
}

// Page is a part of a log, as it was at one moment.
type Page struct {
	Position // of the newest message
	// Entries are ascending; where an offset is missing, the log has lost it. There
	// are none only when there is none behind the offset that was asked for.
	Entries []Entry
}

// InboxQuery asks for the part of a user's log that a device has not confirmed, or
// for a later part of it.
type InboxQuery struct {
	UserID, Device string
	// After is where to read on behind; that of another epoch than the log has, such
	// as the zero Position, means where the device has confirmed it.
	After Position
	// Limit bounds the messages and Bytes their payloads together, but there is at
	// least one if any.
	Limit, Bytes int
}

// Inbox is the answer to an InboxQuery, as it was at one moment.
type Inbox struct {
	Page
	After  uint64 // Entries begin behind it
	Unread int    // messages behind what the device has confirmed
}

// Store reads and mends logs. Its methods must not wait; done is called once,
// with an error when the store cannot be reached, before they return or later,
// on any goroutine, and does not block.
type Store interface {
	// Read reads at most limit messages behind an offset.
	Read(key Key, after uint64, limit int, done func(Page, error))
	// Positions reads where logs end; the position of one that the store does not
	// know is zero.
	Positions(keys []Key, done func([]Position, error))
	// Restore puts messages back that the store has lost, and has it give nobody
	// the offsets up to known of those that it is not given. It returns where the
	// log ends then: in another epoch when such offsets have been taken.
	Restore(key Key, known Position, entries []Entry, done func(Position, error))
	// OpenInbox reads messages of a user that a device has not confirmed, the oldest
	// first.
	OpenInbox(q InboxQuery, done func(Inbox, error))
}

// History says which rooms and users have logs, and what this node does for
// them. The zero History is none at all.
type History struct {
	// Size is how many messages the log of a KindRoom or KindUser keeps, 0 for
	// none: whoever has none pays nothing.
	Size func(Key) int
	// TTL is how long a log keeps a message. In memory it may be kept as long once
	// more, from when it was read.
	TTL func(Key) time.Duration
	// Store has the logs.
	Store Store
	// Frame makes what clients get of an entry. It is called on any goroutine,
	// once for each entry and node, and not with nil as its result.
	Frame func(key Key, offset uint64, payload string) *engine.Frame
	// Renewed makes the frame that tells members that messages were lost, and
	// where the log goes on.
	Renewed func(key Key, at Position) *engine.Frame
	// CheckInterval is how often a log that is silent is compared with the store;
	// whole seconds.
	CheckInterval time.Duration
	// ReplayBytes bounds what one member of a room is replayed, and what a device is
	// sent of its inbox at a time.
	ReplayBytes int
}

func (h History) validate() error {
	switch {
	case h.Size == nil:
		return nil
	case h.TTL == nil || h.Store == nil || h.Frame == nil || h.Renewed == nil:
		return fmt.Errorf("room: history without a ttl, a store or frame makers")
	case h.CheckInterval < time.Second || h.ReplayBytes < 1:
		return fmt.Errorf("room: history is checked every %s and replays %d bytes: allowed are at least 1s and 1 byte",
			h.CheckInterval, h.ReplayBytes)
	}
	return nil
}

// Admission says where in a log a member begins to hear.
type Admission struct {
	// Position is that of the last message before those that the member hears as
	// they come; what it is replayed ends there.
	Position
	// Recovered says that everything between what the member asked for and
	// Position was replayed, or everything that a device has not confirmed is.
	Recovered bool
	// Unread counts what a device has not confirmed in its inbox.
	Unread int
	// Logged says that there is a log; all else is zero when there is none.
	Logged bool
}
