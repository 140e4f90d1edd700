package worker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/ginforge/gateway/bench/fleet"
)

// Config is what a worker is started with.
type Config struct {
	Server string `json:"server"` // host:port
	Path   string `json:"path"`   // of the WebSocket endpoint
	Secret string `json:"secret"` // signs the tokens

	First int `json:"first"` // number of the first of this worker's users
	Count int `json:"count"` // how many it holds, one connection each
	Total int `json:"total"` // users of all workers

	Rooms    int  `json:"rooms"`    // user i is in room i % Rooms; 0: in none
	Personal bool `json:"personal"` // one more room for each user alone
	Mode     Mode `json:"mode"`
	Dialect

	// Retries is how often, on average, a connection that cannot be made is tried
	// again, at once.
	Retries int `json:"retries,omitempty"`

	InFlight      int     `json:"in_flight,omitempty"`
	Rate          float64 `json:"rate,omitempty"` // see fleet.Options
	ReceiveBuffer int     `json:"receive_buffer,omitempty"`
	SendBuffer    int     `json:"send_buffer,omitempty"`
}

// Dialect is what clients and servers say to each other besides messages.
type Dialect struct {
	// Join is the text message that joins a room, with ROOM in place of its name.
	// Empty: the server puts everybody where it wants.
	Join string `json:"join"`
	// Joined is part of the text message that answers it.
	Joined string `json:"joined"`
	// Ping is the whole text message of a server that checks for life above
	// WebSocket, and Pong the answer.
	Ping string `json:"ping,omitempty"`
	Pong string `json:"pong,omitempty"`
}

// Plain is the dialect of the gateway.
var Plain = Dialect{Join: `{"type":"join_room","content":"ROOM"}`, Joined: `"type":"joined"`}

// Mode says what a stream of messages is, and who is to receive it.
type Mode string

const (
	// ModeRoom is for messages from outside, one stream for each room.
	ModeRoom Mode = "room"
	// ModeChat is for messages that clients send to their room, one stream for
	// each sender.
	ModeChat Mode = "chat"
	// ModeUser is for messages from one user to another, one stream for each
	// sender, which has one receiver.
	ModeUser Mode = "user"
	// ModeAll is for one stream that everybody receives.
	ModeAll Mode = "all"
)

// Command is one order of the harness.
type Command struct {
	Do     string `json:"do"`               // open, begin, send, cut or report
	N      int    `json:"n,omitempty"`      // open: how many connections more
	Window uint32 `json:"window,omitempty"` // begin: forget what was counted, count what carries this number
	Mode   Mode   `json:"mode,omitempty"`   // begin: of the streams to come, for one stream a receiver; empty: as before
	Send   *Send  `json:"send,omitempty"`
	Reset  bool   `json:"reset,omitempty"` // cut: with RST
}

// Send orders the clients to send, in turns, in an open loop: message k is due at
// At + k/Rate whatever became of those before.
type Send struct {
	At   int64   `json:"at"`   // in nanoseconds of fleet.Now
	Rate float64 `json:"rate"` // messages a second of this worker
	N    int     `json:"n"`    // messages in all
	Size int     `json:"size"` // about their bytes
}

// Tell is one line from a worker: one of its fields is set.
type Tell struct {
	Progress *Progress `json:"progress,omitempty"`
	Report   *Report   `json:"report,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// Progress is where a worker stands.
type Progress struct {
	Window   uint32 `json:"window"`    // that Joins, Got and Sent belong to
	Open     int    `json:"open"`      // connections that are up
	Joined   int    `json:"joined"`    // of these, in all their rooms
	Failed   int    `json:"failed"`    // could not be made
	Closed   int    `json:"closed"`    // were up and ended without being asked to
	Joins    int64  `json:"joins"`     // how often a connection got there in this window
	LastJoin int64  `json:"last_join"` // when Joins grew last, in nanoseconds of fleet.Now
	Got      int64  `json:"got"`       // messages of this window, as Counts.Received
	LastGot  int64  `json:"last_got"`  // when Got grew last
	Sent     int64  `json:"sent"`      // messages sent in this window
}

// Report is what a worker has measured since the last begin command.
type Report struct {
	Progress
	Counts
	SendFailed int64          `json:"send_failed"`
	Latency    *Histogram     `json:"latency"`   // of messages, from when they were due
	Handshake  *Histogram     `json:"handshake"` // from when a connection was due until its 101
	Joining    *Histogram     `json:"joining"`   // the same until it was in all its rooms
	Late       *Histogram     `json:"late"`      // by which messages were sent after they were due
	Loop       Loop           `json:"loop"`
	Ends       map[string]int `json:"ends,omitempty"` // why connections failed or closed
	Resident   int64          `json:"resident"`       // bytes of this process
	CPU        time.Duration  `json:"cpu"`            // of this process, since it began
}

// Loop is fleet.Meter on the wire.
type Loop struct {
	Wall time.Duration `json:"wall"`
	Busy time.Duration `json:"busy"`
	CPU  time.Duration `json:"cpu"`
	Lag  *Histogram    `json:"lag"`
}

func loopOf(m fleet.Meter) Loop {
	return Loop{Wall: m.Wall, Busy: m.Busy, CPU: m.CPU, Lag: &Histogram{m.Lag}}
}

// Histogram is a histogram of microseconds that travels in HdrHistogram's own
// encoding.
type Histogram struct{ *hdrhistogram.Histogram }

// maxMicros is the longest time a Histogram can hold: ten minutes.
const maxMicros = 600_000_000

// NewHistogram returns an empty histogram from 1 µs to 10 minutes, to three
// digits.
func NewHistogram() *Histogram { return &Histogram{hdrhistogram.New(1, maxMicros, 3)} }

// Record adds a time.
func (h *Histogram) Record(d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 1), maxMicros)) // it is in range
}

// MarshalJSON encodes the histogram as a string.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("worker: encode histogram: %w", err)
	}
	return strconv.AppendQuote(nil, string(b)), nil
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("worker: decode histogram: %w", err)
	}
	decoded, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return fmt.Errorf("worker: decode histogram: %w", err)
	}
	h.Histogram = decoded
	return nil
}
