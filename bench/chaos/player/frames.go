package player

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/fleet"
)

// stampKey begins a stamp in a message's content.
const stampKey = `"chaos":[`

// AppendStamp appends a message's stamp as the first member of its content:
// "chaos":[LOG,N].
func AppendStamp(dst []byte, s ledger.Stamp) []byte {
	dst = strconv.AppendInt(append(dst, stampKey...), int64(s.Log), 10)
	dst = strconv.AppendInt(append(dst, ','), int64(s.N), 10)
	return append(dst, ']')
}

// cutStamp finds the stamp of a message.
func cutStamp(message []byte) (s ledger.Stamp, ok bool) {
	at := bytes.Index(message, []byte(stampKey))
	if at < 0 {
		return s, false
	}
	rest := message[at+len(stampKey):]
	end := bytes.IndexByte(rest, ']')
	comma := bytes.IndexByte(rest, ',')
	if comma < 0 || end < comma {
		return s, false
	}
	var errs [2]error
	s.Log, errs[0] = strconv.Atoi(string(rest[:comma]))
	s.N, errs[1] = strconv.Atoi(string(rest[comma+1 : end]))
	return s, errs[0] == nil && errs[1] == nil
}

// numberAfter reads the number that follows a key.
func numberAfter(b []byte, key string) (n uint64, ok bool) {
	at := bytes.Index(b, []byte(key))
	if at < 0 {
		return 0, false
	}
	for _, d := range b[at+len(key):] {
		if d < '0' || d > '9' {
			break
		}
		n, ok = n*10+uint64(d-'0'), true
	}
	return n, ok
}

// frame is what a client reads of frames that are no messages of the run.
type frame struct {
	Type      string          `json:"type"`
	ID        string          `json:"id"`
	Room      string          `json:"room"`
	Content   json.RawMessage `json:"content"`
	Data      json.RawMessage `json:"data"`
	Epoch     string          `json:"epoch"`
	Offset    uint64          `json:"offset"`
	Recovered *bool           `json:"recovered"`
}

// content is what a client reads of their content and data.
type content struct {
	Code     int      `json:"code"`
	Message  string   `json:"message"`
	Delay    int64    `json:"delay_ms"`
	Online   []string `json:"online"`
	User     string   `json:"user_id"`
	Status   string   `json:"status"`
	Window   int64    `json:"reconnect_window_ms"`
	Interval int64    `json:"ping_interval"`
	Node     string   `json:"node"`
	Users    []struct {
		User   string `json:"user_id"`
		Status string `json:"status"`
	} `json:"users"` // in answer to a question for them
	Inbox *struct {
		Epoch string `json:"epoch"`
	} `json:"inbox"` // nil: the gateway does not know it yet
}

// Message takes a frame (fleet.Handler).
func (c *Crowd) Message(i int, payload []byte) {
	cl, k := &c.clients[i/2], i%2
	w := &cl.wires[k]
	if w.state == shutting {
		return
	}
	w.heard, w.asked = cl.clock(c.fleet.ReadAt()), 0
	cl.sure(w)
	if stamp, ok := cutStamp(payload); ok {
		cl.receive(w, stamp, payload)
		return
	}
	var f frame
	if err := json.Unmarshal(payload, &f); err != nil {
		c.note("not JSON: " + string(payload[:min(len(payload), 100)]))
		return
	}
	var more content
	_ = json.Unmarshal(f.Content, &more) // of another shape: then it stays empty
	_ = json.Unmarshal(f.Data, &more)
	cl.answer(k, f, more)
}

// receive takes a message of the run.
func (cl *client) receive(w *wire, stamp ledger.Stamp, payload []byte) {
	offset, _ := numberAfter(payload, `"offset":`)
	if seconds, dated := numberAfter(payload, `"timestamp":`); dated {
		cl.crowd.book.Dated(stamp, int64(seconds))
	}
	p := ledger.Position{Offset: offset}
	for r, room := range cl.rooms {
		if cl.crowd.opt.Rooms[room] == stamp.Log {
			cl.seats[r].Received(&w.lines[r], p, stamp)
			return
		}
	}
	cl.inbox.Received(&w.inbox, p, stamp) // or it tells that it is not for us
	cl.got = max(cl.got, offset)
}

// answer acts on any other frame.
func (cl *client) answer(k int, f frame, more content) {
	switch f.Type {
	case "welcome":
		cl.welcome(k, more)
	case "joined":
		cl.joined(k, f)
	case "ack", "error":
		cl.answered(k, f, more)
	case "presence":
		cl.learned(k, f, more)
	case "reconnect":
		if k == cl.current && cl.wires[1-k].state == idle {
			cl.moveAt = cl.clock(fleet.Now()) + more.Delay*int64(time.Millisecond) + 1
		}
	case "user_status":
		cl.crowd.presence.Told(cl.wires[k].who, more.User, more.Status == "online")
	}
}

// welcome begins the life of a connection: it is time to join.
func (cl *client) welcome(k int, more content) {
	w := &cl.wires[k]
	w.state = live
	cl.attempt = 0
	if more.Window > 0 {
		cl.window = time.Duration(more.Window) * time.Millisecond
	}
	if more.Interval > 0 {
		cl.interval = time.Duration(more.Interval) * time.Second
	}
	w.node = nodeNumber(more.Node)
	cl.crowd.presence.Came(cl.crowd.userID(cl.user), w.node)
	cl.acked = 0 // what was sent last may have been cut off
	if more.Inbox != nil {
		cl.resume(w, more.Inbox.Epoch)
	}
	if cl.watches != nil && !cl.ask(k) {
		return
	}
	cl.join(k)
}

// resume notes that the inbox follows on wire k, from the last message that was
// acknowledged.
func (cl *client) resume(w *wire, epoch string) {
	cl.inbox.Resume(&w.inbox, epoch)
	w.hasInbox = true
	if epoch != cl.inboxEpoch {
		cl.inboxEpoch, cl.got = epoch, 0
	}
}

// join sends the joins that were not answered yet.
func (cl *client) join(k int) {
	w := &cl.wires[k]
	for r, room := range cl.rooms {
		if w.joined>>r&1 == 1 {
			continue
		}
		b := append(cl.crowd.out[:0], `{"type":"join_room","id":"j`...)
		b = strconv.AppendInt(b, int64(r), 10)
		b = append(append(b, `","content":{"room":"`...), cl.crowd.opt.RoomName(room)...)
		b = append(b, '"')
		if p, again := cl.seats[r].Ask(&w.lines[r]); again && p.Epoch != "" {
			b = append(append(b, `,"since":{"epoch":"`...), p.Epoch...)
			b = strconv.AppendUint(append(b, `","offset":`...), p.Offset, 10)
			b = append(b, '}')
		}
		cl.crowd.out = append(b, `}}`...)
		if !cl.send(k, cl.crowd.out) {
			return
		}
	}
	w.rejoinAt = cl.clock(fleet.Now()) + int64(joinTimeout)
	cl.settle(k)
}

// joined takes the answer to a join, or the news that messages of a room are lost.
// Without a room it is about the inbox.
func (cl *client) joined(k int, f frame) {
	w := &cl.wires[k]
	p, recovered := ledger.Position{Epoch: f.Epoch, Offset: f.Offset}, f.Recovered == nil || *f.Recovered
	switch {
	case f.Room == "" && recovered:
		cl.resume(w, f.Epoch)
	case f.Room == "":
		cl.inbox.Joined(&w.inbox, p, false)
		cl.inboxEpoch, cl.got = f.Epoch, f.Offset
	}
	for r, room := range cl.rooms {
		if cl.crowd.opt.RoomName(room) == f.Room {
			cl.seats[r].Joined(&w.lines[r], p, recovered)
			w.joined |= 1 << r
		}
	}
	if cl.mates != nil && f.ID == "j0" && !cl.ask(k) {
		return
	}
	cl.settle(k)
}

// settle notes that wire k may have got there, and ends the one that it replaces.
func (cl *client) settle(k int) {
	w := &cl.wires[k]
	if w.complete() {
		w.rejoinAt = 0
		cl.heard = true // the answer that made it so
		if k != cl.current {
			cl.current = k
			cl.shut(1 - k)
		}
	}
	cl.judge()
}

// rejoinDelay is how long a refused join waits, at least.
const rejoinDelay = 500 * time.Millisecond

// answered takes the answer to a frame that carried an id.
func (cl *client) answered(k int, f frame, more content) {
	w := &cl.wires[k]
	refused := f.Type == "error"
	if refused {
		cl.crowd.note("refused: " + strconv.Itoa(more.Code) + " " + more.Message)
	}
	switch {
	case f.ID == "watch" && !refused:
		cl.crowd.presence.Answered(w.who, cl.watches, more.Online)
	case (f.ID == "watch" || f.ID == "presence") && refused:
		w.lookAt = cl.clock(fleet.Now()) + int64(rejoinDelay) + int64(within(cl.crowd.rand, time.Second))
	case strings.HasPrefix(f.ID, "j") && refused:
		w.rejoinAt = cl.clock(fleet.Now()) + int64(rejoinDelay) + int64(within(cl.crowd.rand, time.Second))
	case cl.talker != nil && f.ID == cl.talker.id:
		cl.talker.answered(refused, more.Code)
	}
}
