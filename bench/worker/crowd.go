package worker

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ginforge/gateway/bench/fleet"
)

// crowd is the users of one worker: the handler of its fleet. Everything in it
// belongs to the goroutine of the fleet's loop.
type crowd struct {
	cfg    Config
	fleet  *fleet.Fleet
	signer *Signer
	users  []user // by connection
	wanted uint8  // rooms that each is to be in
	out    []byte

	joinHead, joinTail string // of cfg.Join, around the room
	joined, ping       []byte

	again []rejoin // in the order in which they are due

	window     uint32
	slots      int     // streams that one connection receives
	tracks     []track // slots for each connection
	outflow    outflow
	sendFailed int64

	Progress
	Counts
	latency, handshake, joining, late *Histogram
	ends                              map[string]int
}

// user is what is known of one connection besides its tracks.
type user struct {
	up    bool
	rooms uint8 // it is in
}

func newCrowd(cfg Config) (*crowd, error) {
	server, err := netip.ParseAddrPort(cfg.Server)
	if err != nil {
		return nil, fmt.Errorf("worker: server: %w", err)
	}
	c := &crowd{
		cfg: cfg, signer: NewSigner(cfg.Secret, 24*time.Hour),
		users: make([]user, cfg.Count), ends: make(map[string]int),
		latency: NewHistogram(), handshake: NewHistogram(), joining: NewHistogram(), late: NewHistogram(),
		slots: cfg.streams(),
	}
	c.tracks = make([]track, cfg.Count*c.slots)
	if cfg.Join != "" && cfg.Rooms > 0 {
		c.wanted++
	}
	if cfg.Join != "" && cfg.Personal {
		c.wanted++
	}
	c.joined, c.ping = []byte(cfg.Joined), []byte(cfg.Ping)
	c.joinHead, c.joinTail, _ = strings.Cut(cfg.Join, "ROOM")
	c.fleet, err = fleet.New(fleet.Options{
		Server: server, Request: c.request, Source: c.source, Tick: c.tick,
		InFlight: cfg.InFlight, Rate: cfg.Rate,
		ReceiveBuffer: cfg.ReceiveBuffer, SendBuffer: cfg.SendBuffer,
	}, c)
	return c, err
}

// streams is how many streams one connection receives.
func (cfg Config) streams() int {
	if cfg.Mode == ModeChat {
		return (cfg.Total + cfg.Rooms - 1) / cfg.Rooms
	}
	return 1
}

// RoomName returns the name of room r of rooms.
func RoomName(r, rooms int) string {
	if rooms == 1 {
		return "bench"
	}
	return "bench:" + strconv.Itoa(r)
}

// Partner returns whom user i writes to in ModeUser.
func Partner(i, total int) int { return (i + total/2) % total }

func (c *crowd) request(i int) string {
	return c.cfg.Path + "?token=" + string(c.signer.Token(c.cfg.First+i))
}

// source spreads the connections over 127.1.0.1 to 127.1.255.250, each with
// ports for 28,000.
func (c *crowd) source(i int) netip.Addr {
	i += c.cfg.First
	return netip.AddrFrom4([4]byte{127, 1, byte(i / 20_000), byte(1 + i%250)})
}

// Open joins the rooms.
func (c *crowd) Open(i int, took time.Duration) {
	c.handshake.Record(took)
	c.users[i] = user{up: true}
	c.Progress.Open++
	if c.wanted == 0 {
		c.arrived(i)
		return
	}
	c.joinAll(i)
}

// joinAll sends the joins of connection i.
func (c *crowd) joinAll(i int) {
	user := c.cfg.First + i
	if c.cfg.Rooms > 0 {
		c.join(i, RoomName(user%c.cfg.Rooms, c.cfg.Rooms))
	}
	if c.cfg.Personal {
		c.join(i, "own:"+strconv.Itoa(user))
	}
}

func (c *crowd) join(i int, room string) {
	c.out = append(append(append(c.out[:0], c.joinHead...), room...), c.joinTail...)
	if err := c.fleet.Send(i, c.out); err != nil {
		c.note("join: " + err.Error())
	}
}

// arrived counts a connection that is in all its rooms.
func (c *crowd) arrived(i int) {
	c.Joined++
	c.Joins++
	c.LastJoin = c.fleet.ReadAt()
	c.joining.Record(time.Duration(c.LastJoin - c.fleet.Started(i)))
}

// Message judges the measured messages in a payload, of which some servers put
// several into one, or acts on one of the others.
func (c *crowd) Message(i int, payload []byte) {
	stamp, rest, ok := CutStamp(payload)
	if !ok {
		c.answer(i, payload)
		return
	}
	for ok {
		if stamp.Window == c.window { // else it is of an earlier one
			c.receive(i, stamp)
		}
		stamp, rest, ok = CutStamp(rest)
	}
}

// answer acts on a message that carries no stamp.
func (c *crowd) answer(i int, payload []byte) {
	switch {
	case len(c.ping) > 0 && bytes.Equal(payload, c.ping):
		if err := c.fleet.Send(i, []byte(c.cfg.Pong)); err != nil {
			c.note("pong: " + err.Error())
		}
	case len(c.joined) > 0 && bytes.Contains(payload, c.joined):
		if c.users[i].rooms++; c.users[i].rooms == c.wanted {
			c.arrived(i)
		}
	case bytes.Contains(payload, []byte(`"type":"error"`)):
		c.note("refused: " + string(payload[:min(len(payload), 200)]))
		if c.wanted == 1 && c.users[i].rooms == 0 && bytes.Contains(payload, []byte(`"code":4101`)) {
			c.again = append(c.again, rejoin{i, c.fleet.ReadAt() + rejoinDelay})
		}
	}
}

func (c *crowd) receive(i int, s Stamp) {
	slot, ok := c.slot(c.cfg.First+i, int(s.Stream))
	if !ok {
		c.Foreign++
		return
	}
	before := c.Received
	c.tracks[i*c.slots+slot].note(s.Seq, &c.Counts)
	if c.Received > before {
		c.LastGot = c.fleet.ReadAt()
		c.latency.Record(time.Duration(c.LastGot - s.Sent))
	}
}

// slot tells which of a user's tracks a stream has, and whether the user is to
// receive it at all.
func (c *crowd) slot(user, stream int) (slot int, ok bool) {
	switch c.cfg.Mode {
	case ModeRoom:
		return 0, c.cfg.Rooms > 0 && stream == user%c.cfg.Rooms
	case ModeChat:
		return stream / c.cfg.Rooms, stream < c.cfg.Total && stream%c.cfg.Rooms == user%c.cfg.Rooms
	case ModeUser:
		return 0, stream < c.cfg.Total && Partner(stream, c.cfg.Total) == user
	default:
		return 0, stream == 0
	}
}

// Closed counts a connection that could not be made, or has ended.
func (c *crowd) Closed(i, code int, err error) {
	if code != 0 {
		c.note("closed with " + strconv.Itoa(code))
	} else {
		c.note(err.Error())
	}
	if c.users[i].up {
		c.Progress.Closed++
		c.left(i)
		return
	}
	c.Failed++
	if c.cfg.Retries > 0 && c.Failed <= c.cfg.Retries*c.cfg.Count {
		c.fleet.Reopen(i, c.fleet.Started(i))
	}
}

// maxReasons bounds the memory that a server can fill with ever new texts.
const maxReasons = 64

// note counts a reason why something ended or was refused.
func (c *crowd) note(reason string) {
	if _, known := c.ends[reason]; !known && len(c.ends) >= maxReasons {
		reason = "other reasons, more than " + strconv.Itoa(maxReasons)
	}
	c.ends[reason]++
}

// left forgets a connection that was up.
func (c *crowd) left(i int) {
	c.Progress.Open--
	if c.users[i].rooms == c.wanted {
		c.Joined--
	}
	c.users[i] = user{}
}

// begin forgets what was counted and counts what carries window from now on, in
// streams of the mode given, if any.
func (c *crowd) begin(window uint32, mode Mode) {
	c.window = window
	if mode != "" {
		c.cfg.Mode = mode
	}
	clear(c.tracks)
	c.Counts = Counts{}
	c.Joins, c.LastGot, c.Sent, c.sendFailed = 0, 0, 0, 0
	for _, h := range []*Histogram{c.latency, c.handshake, c.joining, c.late} {
		h.Reset()
	}
	c.fleet.ResetMeter()
}

// cut ends all connections at once and has them come back.
func (c *crowd) cut(reset bool) {
	since := fleet.Now()
	for i := range c.users {
		if c.users[i].up {
			c.fleet.Cut(i, reset)
			c.left(i)
			c.fleet.Reopen(i, since)
		}
	}
}
