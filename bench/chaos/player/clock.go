package player

import (
	"strconv"
	"time"
)

// A client whose clock has jumped does everything by it. What others can see of that:
// its frames carry a wrong time, which must not reach anybody; its pings and attempts
// to connect come early, or late; and after a jump forwards it believes that its token
// is about to expire, and brings a new one, which is dated by its issuer's clock.

// clock is the client's own time.
func (cl *client) clock(now int64) int64 { return now + cl.skew }

// unix is the client's own time in seconds since 1970.
func (cl *client) unix() int64 { return time.Now().Add(time.Duration(cl.skew)).Unix() }

// latest is how late a connection may come because a clock was put back: pages do not
// wait for a time of day, but for so many seconds, with a look at the clock.
const latest = 5 * time.Second

// jump moves the client's clock. What waits is due at once after a jump forwards; after
// one backwards, connections come late, and all else waits as long as it would have.
func (cl *client) jump(by time.Duration) {
	cl.skew += int64(by)
	if by > 0 {
		cl.refresh()
		return
	}
	late := by + min(-by, latest)
	for _, t := range []*int64{&cl.reopenAt, &cl.moveAt} {
		if *t != 0 {
			*t += int64(late)
		}
	}
	var times []*int64
	for k := range cl.wires {
		w := &cl.wires[k]
		times = append(times, &w.deadline, &w.heard, &w.asked, &w.rejoinAt, &w.lookAt)
	}
	if cl.talker != nil {
		times = append(times, &cl.talker.due)
	}
	for _, t := range times {
		if *t != 0 {
			*t += int64(by)
		}
	}
}

// refresh gives the gateway a new token.
func (cl *client) refresh() {
	if cl.wires[cl.current].state != live {
		return
	}
	b := append(cl.crowd.out[:0], `{"type":"refresh","id":"refresh","content":{"token":"`...)
	b = append(append(b, cl.crowd.signer.Token(cl.user)...), `"},"timestamp":`...)
	cl.crowd.out = append(strconv.AppendInt(b, cl.unix(), 10), '}')
	cl.send(cl.current, cl.crowd.out)
}
