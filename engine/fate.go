package engine

// Fate is what became of a message at one connection.
type Fate uint8

// Fates. The last five are those of Loss.
const (
	FateWritten    Fate = iota // the socket took all of it
	FateWaits                  // the socket did not take all of it; what follows is told later, but for its last part
	FateSuperseded             // a later one of the same key came
	FateExpired                // it became too old
	FateEvicted                // it made room for one that must arrive
	FateRefused                // there was no room for it, and the connection was given up
	FateGone                   // the connection ended before
)

// String names the fate as Loss.Cause does.
func (f Fate) String() string {
	switch f {
	case FateWritten:
		return "written"
	case FateWaits:
		return "waits"
	default:
		return lossNames[f-FateSuperseded]
	}
}

// lostAs is the fate of a message that was not sent, by its cause.
func lostAs(why int) Fate { return FateSuperseded + Fate(why) } //nolint:gosec // few

// Watch has tell called with what becomes of the frame at each connection that gets
// it: with FateWritten, or with FateWaits and maybe another after that. It is called
// on whatever goroutine it happens, under a lock of the connection: it must be short
// and must not call the connection. Watch must be called before f is shared, and
// returns f.
func (f *Frame) Watch(tell func(to Handler, what Fate)) *Frame {
	f.tell, f.watched = tell, tell != nil
	return f
}

// tell tells those who watch one of the frames what became of them here. It costs a
// look at each when nobody does.
func (c *Conn) tell(frames []*Frame, what Fate) {
	for i, f := range frames {
		if f.watched {
			leaves(frames[i:i+1], func(f *Frame) bool {
				c.tellOf(f, what)
				return true
			})
		}
	}
}

func (c *Conn) tellOf(f *Frame, what Fate) {
	if f.tell != nil {
		f.tell(c.handler, what)
	}
}
