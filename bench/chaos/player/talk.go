package player

import (
	"strconv"
	"time"

	"github.com/ginforge/gateway/bench/chaos/ledger"
	"github.com/ginforge/gateway/bench/fleet"
)

// talker is what a client that also sends has to send: one message at a time, to
// its room and to another user's inbox in turns.
type talker struct {
	client *client
	every  int64
	due    int64 // by the client's clock: the next message, or the next attempt with the one under way
	turn   int

	id      string // of the message under way; "" when there is none
	stamp   ledger.Stamp
	payload []byte
}

// talkEvery is how often a talker speaks, on average.
const talkEvery = 5 * time.Second

// answerTimeout is how long a talker waits before it sends a message again.
const answerTimeout = 5 * time.Second

// hireTalkers has as many clients talk as make the rate of the options together.
func (c *Crowd) hireTalkers() {
	n := min(len(c.clients), int(c.opt.Talk*talkEvery.Seconds()+0.5))
	for k := range n {
		cl := &c.clients[k*len(c.clients)/n]
		cl.talker = &talker{client: cl, every: int64(talkEvery)}
		c.talkers = append(c.talkers, cl.talker)
	}
}

// tick sends what is due.
func (t *talker) tick(now int64) {
	cl := t.client
	clock := cl.clock(now)
	if !cl.ready || clock < t.due {
		return
	}
	if t.id == "" {
		if cl.crowd.silent {
			return
		}
		if t.due == 0 { // not all at once
			t.due = clock + cl.crowd.rand.Int64N(t.every)
			return
		}
		t.begin()
	}
	t.due = clock + int64(answerTimeout)
	cl.send(cl.current, t.payload)
}

// begin makes the next message.
func (t *talker) begin() {
	cl, c := t.client, t.client.crowd
	b := t.payload[:0]
	if t.turn++; t.turn%2 == 1 && len(cl.rooms) > 0 {
		room := cl.rooms[t.turn/2%len(cl.rooms)]
		t.stamp = c.book.Publish(c.opt.Rooms[room], ledger.Member, memberPublisher+cl.number)
		b = append(append(b, `{"type":"room_message","room":"`...), c.opt.RoomName(room)...)
	} else {
		to := c.rand.IntN(c.users)
		t.stamp = c.book.Publish(c.inboxes[to], ledger.Member, memberPublisher+cl.number)
		b = append(append(b, `{"type":"user_message","to":"`...), c.userID(to)...)
	}
	t.id = "m" + strconv.Itoa(t.stamp.Log) + "." + strconv.Itoa(t.stamp.N)
	b = append(append(b, `","id":"`...), t.id...)
	b = AppendStamp(append(b, `","content":{`...), t.stamp)
	b = append(b, `,"text":"hello"},"timestamp":`...)
	t.payload = append(strconv.AppendInt(b, cl.unix(), 10), '}')
	c.unacknowledged.Add(1)
}

// memberPublisher is added to a client's number to make it a publisher's.
const memberPublisher = 1000

// answered takes the gateway's answer to the message under way.
func (t *talker) answered(refused bool, code int) {
	cl := t.client
	clock := cl.clock(fleet.Now())
	if refused && (code == 4101 || code == 4003) { // later, or not joined yet
		t.due = clock + int64(rejoinDelay) + int64(within(cl.crowd.rand, time.Second))
		return
	}
	if refused {
		cl.crowd.book.Refuse(t.stamp)
	} else {
		cl.crowd.book.Acknowledge(t.stamp)
	}
	t.id = ""
	t.due = clock + t.every/2 + cl.crowd.rand.Int64N(t.every)
	cl.crowd.unacknowledged.Add(-1)
}
