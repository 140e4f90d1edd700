package player

import "time"

// A client is back after a fault when it has all that it wants and has received
// something since: that its connections look well is not enough, since those to a
// process that is stopped do.

// doubt has every client show that it is there: it counts as back again when something
// comes, and asks for a pong soon.
func (c *Crowd) doubt(now int64) {
	for i := range c.clients {
		cl := &c.clients[i]
		cl.heard = false
		cl.askAt = now + int64(askWithin)*int64(i)/int64(len(c.clients)) + 1
		cl.judge()
	}
}

// askWithin is the time over which the questions of doubt are spread.
const askWithin = 250 * time.Millisecond

// findOut asks for a pong when nothing has come since Doubt. It is no ping of the
// client's own: what it does when none comes is not changed by it.
func (cl *client) findOut(now int64) {
	if cl.askAt == 0 || now < cl.askAt {
		return
	}
	cl.askAt = 0
	if !cl.heard && cl.wires[cl.current].state == live {
		cl.send(cl.current, []byte(`{"type":"ping"}`))
	}
}

// sure notes that something has come on a wire.
func (cl *client) sure(w *wire) {
	if !cl.heard && w.complete() {
		cl.heard = true
		cl.judge()
	}
}

// judge notes whether the client has all it wants, and is back.
func (cl *client) judge() {
	ready := !cl.away && (cl.wires[cl.current].complete() || cl.wires[1-cl.current].complete())
	cl.crowd.ready.Add(change(cl.ready, ready))
	cl.ready = ready
	back := ready && cl.heard
	cl.crowd.back.Add(change(cl.back, back))
	cl.back = back
}

// change is by how much a number of clients changes.
func change(was, is bool) int64 {
	switch {
	case is && !was:
		return 1
	case was && !is:
		return -1
	default:
		return 0
	}
}
