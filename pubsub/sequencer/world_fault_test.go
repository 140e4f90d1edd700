package sequencer

// What may go wrong in a world; each reports whether it could.

// expire ends the lease though its holder may live: it was paused, or Redis
// did not hear it.
func (w *world) expire() bool {
	if !w.lease.live {
		return false
	}
	w.lease.live, w.lease.ended = false, len(w.heard)
	w.nodes[w.lease.owner].late = true
	return true
}

// crash ends node i; what it has written may still arrive.
func (w *world) crash(i int) bool {
	if !w.nodes[i].up {
		return false
	}
	w.nodes[i].up = false
	return true
}

// cut breaks the connection of node i; it releases its leases, the leader's when
// it comes to it.
func (w *world) cut(i int) bool {
	n := w.nodes[i]
	if !n.up || !n.connected {
		return false
	}
	n.awake()
	n.connected = false
	n.m.Break()
	if w.lease.live && w.lease.owner == i {
		n.owes, n.ended = true, len(w.heard)
	}
	if w.lease.standby == i {
		w.lease.standby = -1
	}
	return true
}

// release has node i give up the leader's lease that it owes.
func (w *world) release(i int) bool {
	n, l := w.nodes[i], &w.lease
	if !n.owes {
		return false
	}
	n.owes = false
	if l.owner == i && l.live {
		l.live, l.ended = false, n.ended
	}
	return true
}

// leave ends what is left of the part of node i when nobody renews it.
func (w *world) leave(i int) {
	if w.lease.live && w.lease.owner == i {
		w.lease.live, w.lease.ended = false, len(w.heard)
	}
	if w.lease.standby == i {
		w.lease.standby = -1
	}
}

// restart ends Redis and brings it back with what it had: all connections
// break, and what was on its way to it is gone.
func (w *world) restart() {
	w.server++
	for _, n := range w.nodes {
		n.flight, n.applied, n.outgoing, n.connected = nil, 0, nil, false
		n.m.Break()
		n.m.Landed(0)
	}
	w.leave(0)
	w.leave(1)
}
