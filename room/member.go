package room

import (
	"errors"
	"iter"

	"github.com/ginforge/gateway/engine"
)

// Errors given to the callbacks of Join, Leave and InOrder.
var (
	// ErrNotMember is returned when the connection is not in the room.
	ErrNotMember = errors.New("room: not a member")
	// ErrTooManyRooms is returned when the connection is in Config.MaxRooms rooms.
	ErrTooManyRooms = errors.New("room: too many rooms")
	// ErrTooManyWatched is returned when the connection watches
	// Config.MaxWatched users.
	ErrTooManyWatched = errors.New("room: too many users watched")
	// ErrUnconfirmed is returned when the bus has not confirmed the room's
	// channel in time; the member is not in the room.
	ErrUnconfirmed = errors.New("room: subscription not confirmed in time")
	// ErrGone is returned when the connection has ended, and for a join when the
	// connection has left the room again before the bus confirmed it.
	ErrGone = errors.New("room: connection is gone")
)

// Conn is what the hub needs of a connection, and those to whom Each shows its
// member; *engine.Conn implements it. Its methods must not block.
type Conn interface {
	// Send, SendAll and Replay return engine.ErrSlow or engine.ErrClosed, as
	// *engine.Conn documents.
	Send(f *engine.Frame) error
	SendAll(frames []*engine.Frame, scratch []byte) ([]byte, error)
	Replay(frames []*engine.Frame, scratch []byte) ([]byte, error)
	Close(r engine.CloseReason)
	// CaughtUp reports whether nothing waits for the peer. If something does, the
	// application calls Hub.CaughtUp when nothing does any more.
	CaughtUp() bool
}

var _ Conn = (*engine.Conn)(nil)

// Member is a connection as the hub sees it. It is meant to be embedded in what
// the application keeps per connection, and is set up with Init before Attach.
type Member struct {
	conn Conn   // set by Init
	user string // set by Init
	name string // set by Init

	// Owned by the worker of the member's shard.
	seats    []seat
	rooms    int32  // seats in KindRoom
	watched  int32  // seats in KindWatch
	out      int32  // first link of the frames collected for it; 0: none
	outLast  int32  // last link
	stamp    uint32 // last status change that reached it
	index    int32  // place in shard.members
	attached bool
	gone     bool // detached; what comes later is void
}

// seat is a membership: where the member stands in a list.
type seat struct {
	list  *list
	index int32
}

// occupant is an entry of a list: the member, and which of its seats this is.
type occupant struct {
	member *Member
	seat   int32
	waits  bool // for the room's log to admit it: deliveries pass it by; the worker's alone
}

// list is the part of a room that lives in one shard. Owned by the shard's
// worker; changed under the shard's mu.
type list struct {
	name      string // of the key
	occupants []occupant
	hash      uint32 // of the key; see Hub.sum
	kind      Kind   // of the key
	confirmed bool   // the bus delivers key
	open      bool   // deliveries are for it; see shard.begin
	presence  bool   // members learn each other's status
}

// members returns the members for those who hold the shard's mu for reading: the
// rest of an occupant is the worker's, which changes it without that.
func (l *list) members() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		for i := range l.occupants {
			if !yield(l.occupants[i].member) {
				return
			}
		}
	}
}

func (l *list) key() Key    { return Key{l.kind, l.name} }
func (l *list) sum() uint32 { return l.hash }

// waiter is a join or attach that is answered when the bus has confirmed, or
// what came behind it.
type waiter struct {
	member *Member
	done   func(error)
	since  uint32 // tick
	behind bool   // not the join itself: it holds though the member has left

	// Of those whom a log has to admit.
	join *joining
	told bool // it was answered, if only with ErrUnconfirmed, and waits on
}

// orphan is a waiter whose member has left the list.
type orphan struct {
	done func(error)
	why  error
}

// Init prepares a member for Attach. The strings are kept.
func (m *Member) Init(conn Conn, userID, userName string) {
	m.conn, m.user, m.name = conn, userID, userName
}

// UserID is the user whose device this is.
func (m *Member) UserID() string { return m.user }

// UserName is the name to show for the user.
func (m *Member) UserName() string { return m.name }

// Conn is the member's connection.
func (m *Member) Conn() Conn { return m.conn }

// in returns the index of the member's seat in key, or -1.
func (m *Member) in(key Key) int {
	for i := range m.seats {
		if l := m.seats[i].list; l.kind == key.Kind && l.name == key.Name {
			return i
		}
	}
	return -1
}

// add seats m in l.
func (l *list) add(m *Member) {
	m.seats = append(m.seats, seat{l, int32(len(l.occupants))})
	l.occupants = append(l.occupants, occupant{member: m, seat: int32(len(m.seats) - 1)})
	m.count(l.kind, 1)
}

// remove takes the i-th seat of m away; the last entry of either slice fills
// the gap, and the one that refers to it is told.
func (m *Member) remove(i int) *list {
	s := m.seats[i]
	l := s.list

	lastOccupant := len(l.occupants) - 1
	moved := l.occupants[lastOccupant]
	l.occupants[s.index] = moved
	moved.member.seats[moved.seat].index = s.index
	l.occupants[lastOccupant] = occupant{}
	l.occupants = shrink(l.occupants[:lastOccupant])

	lastSeat := len(m.seats) - 1
	if i != lastSeat {
		m.seats[i] = m.seats[lastSeat]
		m.seats[i].list.occupants[m.seats[i].index].seat = int32(i)
	}
	m.seats[lastSeat] = seat{}
	m.seats = shrink(m.seats[:lastSeat])
	m.count(l.kind, -1)
	return l
}

func (m *Member) count(kind Kind, by int32) {
	switch kind {
	case KindRoom:
		m.rooms += by
	case KindWatch:
		m.watched += by
	}
}

// shrink gives memory back when a big list has become small.
func shrink[T any](s []T) []T {
	if cap(s) > 64 && len(s) < cap(s)/4 {
		return append(make([]T, 0, 2*len(s)), s...)
	}
	return s
}
