package player

import (
	"errors"
	"strconv"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/fleet"
)

// client is one device. Times are of its own clock unless they say otherwise, in
// nanoseconds; 0 means never.
type client struct {
	crowd  *Crowd
	number int
	user   int
	name   string // in the books
	rooms  []int  // numbers of its rooms
	seats  []*ledger.Seat
	inbox  *ledger.Seat
	skew   int64 // of its clock

	wires   [2]wire
	current int   // of wires: the one that counts
	ready   bool  // it has all that it wants
	heard   bool  // something since Doubt, on a wire that is complete
	back    bool  // both
	askAt   int64 // of the true clock: when to find out
	away    bool
	backAt  int64 // of the true clock: when away ends

	reopenAt int64 // when to connect
	moveAt   int64 // when to open a second connection
	attempt  int   // that failed in a row
	window   time.Duration
	interval time.Duration // of pings

	hushedUntil int64 // of the true clock
	inboxEpoch  string
	acked       uint64   // offset that was acknowledged on this connection
	got         uint64   // offset to be acknowledged
	watches     []string // users that it watches
	mates       []string // users in its first room, of whom it is told as a member
	talker      *talker  // nil: it listens only
}

func (cl *client) init(c *Crowd, i int) {
	*cl = client{crowd: c, number: i, user: i, window: 5 * time.Second, interval: 25 * time.Second}
	device := 1
	if i >= c.users {
		cl.user, device = i-c.users, 2
	}
	cl.name = c.userID(cl.user) + "/" + strconv.Itoa(device)
	for k := range min(c.opt.Each, len(c.opt.Rooms)) {
		r := (i + k*(1+i/len(c.opt.Rooms))) % len(c.opt.Rooms)
		if cl.isIn(r) {
			continue
		}
		cl.rooms = append(cl.rooms, r)
		cl.seats = append(cl.seats, c.book.Sit(cl.name, c.opt.Rooms[r]))
	}
	cl.inbox = c.book.Sit(cl.name, c.inboxes[cl.user])
	for k := range cl.wires {
		cl.wires[k].lines = make([]ledger.Line, len(cl.rooms))
		cl.wires[k].who = cl.name + "#" + strconv.Itoa(k)
	}
}

// device is its id for the gateway.
func (cl *client) device() string { return "d" + strconv.Itoa(cl.number) }

func (cl *client) isIn(room int) bool {
	for _, r := range cl.rooms {
		if r == room {
			return true
		}
	}
	return false
}

// request is the path with which connection i asks for its upgrade.
func (c *Crowd) request(i int) string {
	cl := &c.clients[i/2]
	return "/ws?device=" + cl.device() + "&token=" + string(c.signer.Token(cl.user))
}

// tick does what is due.
func (cl *client) tick(now int64) {
	if cl.away {
		if cl.backAt != 0 && now >= cl.backAt {
			cl.come()
		}
		return
	}
	cl.findOut(now)
	if cl.hushedUntil != 0 && now >= cl.hushedUntil {
		cl.hushedUntil = 0
		_ = cl.crowd.fleet.Hush(cl.conn(cl.current), false) // its connection may have ended
	}
	clock := cl.clock(now)
	if cl.reopenAt != 0 && clock >= cl.reopenAt {
		cl.reopenAt = 0
		cl.open(cl.current, now)
	}
	if cl.moveAt != 0 && clock >= cl.moveAt {
		cl.moveAt = 0
		cl.open(1-cl.current, now)
	}
	for k := range cl.wires {
		cl.tend(k, clock)
	}
	cl.acknowledge()
}

// conn is the fleet's number of one of the client's connections.
func (cl *client) conn(k int) int { return 2*cl.number + k }

// acknowledge tells the gateway what of the inbox has arrived.
func (cl *client) acknowledge() {
	if cl.got <= cl.acked || cl.wires[cl.current].state != live {
		return
	}
	b := strconv.AppendUint(append(cl.crowd.out[:0], `{"type":"ack","content":{"offset":`...), cl.got, 10)
	cl.crowd.out = append(b, `}}`...)
	if cl.send(cl.current, cl.crowd.out) {
		cl.acked = cl.got
	}
}

// send sends a frame, and gives the connection up when the socket does not take
// it: nothing is ever sent on a socket that holds half a frame.
func (cl *client) send(k int, frame []byte) bool {
	if err := cl.crowd.fleet.Send(cl.conn(k), frame); err != nil {
		cl.drop(k, false)
		cl.ended(k, 0, err)
		return false
	}
	return true
}

// leave ends all connections as a page does that is closed, and stays away.
func (cl *client) leave(until int64) {
	cl.away, cl.backAt = true, until
	cl.crowd.absent.Add(1)
	cl.reopenAt, cl.moveAt, cl.hushedUntil = 0, 0, 0
	for k := range cl.wires {
		cl.shut(k)
	}
	cl.judge()
}

// come ends leave.
func (cl *client) come() {
	cl.away, cl.backAt = false, 0
	cl.crowd.absent.Add(-1)
	cl.attempt = 0
	if cl.wires[cl.current].state != idle { // its close frame is still under way
		cl.drop(cl.current, false)
	}
	cl.reopenAt = cl.clock(fleet.Now())
}

var errHerd = errors.New("cut by the run")

// lose ends the connections of a client from its own side, as a lost network does.
func (cl *client) lose(reset bool) {
	if cl.away {
		return
	}
	for k := range cl.wires {
		if cl.wires[k].state != idle {
			cl.drop(k, reset)
			cl.ended(k, 0, errHerd)
		}
	}
}

// hush has the client read nothing for a time.
func (cl *client) hush(d time.Duration) {
	if cl.crowd.fleet.Hush(cl.conn(cl.current), true) != nil {
		return
	}
	cl.hushedUntil = fleet.Now() + int64(d)
	cl.crowd.presence.Numb(cl.crowd.userID(cl.user), d)
	for k := range cl.wires {
		cl.crowd.presence.NumbWatcher(cl.wires[k].who, d)
	}
}
