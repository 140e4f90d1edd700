package ledger

import "time"

// Seat is one receiver's place in one log. Its methods may be called from any
// goroutine.
type Seat struct {
	book  *Book
	who   string
	logID int

	// guarded by the book's lock
	joined   time.Time // first; zero before
	from     place     // messages up to here are not this seat's
	position place     // of the last message that was not dropped
	had      bits
}

// Line is one connection of a seat, begun by Ask or Resume. Its fields are guarded
// by the book's lock.
type Line struct {
	known bool  // whether last.offset means anything
	last  place // the epoch that the line is in, and the last offset on it
}

// beyond reports whether p comes after o in a log's life, or in a later life.
func (p place) beyond(o place) bool {
	return p.epoch > o.epoch || p.epoch == o.epoch && p.offset > o.offset
}

// bits is a set of small numbers.
type bits []uint64

func (b *bits) set(i int) {
	for i/64 >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bits) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 == 1 }

// Sit gives a receiver a seat in a log. It counts from Joined.
func (b *Book) Sit(who string, logID int) *Seat {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Seat{book: b, who: who, logID: logID}
	b.logs[logID].seats = append(b.logs[logID].seats, s)
	return s
}

// epochLocked returns the index of an epoch, which it may be the first to see.
func (b *Book) epochLocked(l *log, epoch string) int {
	for i, e := range l.epochs {
		if e == epoch {
			return i
		}
	}
	if l.epochs = append(l.epochs, epoch); len(l.epochs) > 1 {
		b.counts.NewEpochs++
		b.noteLocked("%s has a new epoch, %q after %q", l.name, epoch, l.epochs[len(l.epochs)-2])
	}
	return len(l.epochs) - 1
}

// Ask begins a line on which the receiver asks for what it has missed, and returns
// the position to ask with; false says that this is its first join.
func (s *Seat) Ask(line *Line) (Position, bool) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.joined.IsZero() {
		*line = Line{}
		return Position{}, false
	}
	*line = Line{known: true, last: s.position}
	return Position{Epoch: s.book.logs[s.logID].epochs[s.position.epoch], Offset: s.position.offset}, true
}

// Joined notes the answer to a join on a line that Ask has begun. Position is where
// the gateway says the log stands: for a first join it is where the seat begins.
// When the seat came back with a position and recovered is true, what follows on
// the line begins there; when it is false, the client takes the new position as
// its own.
func (s *Seat) Joined(line *Line, p Position, recovered bool) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	at := place{b.epochLocked(b.logs[s.logID], p.Epoch), p.Offset}
	switch {
	case s.joined.IsZero():
		s.joined, s.from, s.position = b.now(), at, at
		*line = Line{known: true, last: at}
	case !recovered:
		b.counts.Unrecovered++
		b.noteLocked("%s: recovered: false in %s at %q %d, was at %d %d", s.who, b.logs[s.logID].name,
			p.Epoch, p.Offset, s.position.epoch, s.position.offset)
		s.position = at
		*line = Line{known: true, last: at}
	case at.epoch != line.last.epoch: // recovered into a new life of the log
		s.position = place{epoch: at.epoch}
		*line = Line{last: s.position}
	}
}

// Resume begins a line on which everything after the last acknowledged message
// comes again, as in an inbox. Messages that the seat has are dropped in silence
// until its position.
func (s *Seat) Resume(line *Line, epoch string) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.epochLocked(b.logs[s.logID], epoch)
	if s.joined.IsZero() {
		s.joined, s.from, s.position = b.now(), place{epoch: e}, place{epoch: e}
	}
	if e != s.position.epoch {
		s.position = place{epoch: e}
	}
	*line = Line{last: place{epoch: e}}
}

// Received notes a message on a line: its place and its stamp. Epoch is empty
// when the frame does not name it; then it is that of the line's join. It returns
// whether the receiver takes the message as new.
func (s *Seat) Received(line *Line, p Position, stamp Stamp) bool {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if stamp.Log < 0 || stamp.Log >= len(b.logs) || stamp.N < 0 || stamp.N >= len(b.logs[stamp.Log].messages) {
		b.counts.Strange++
		return false
	}
	if stamp.Log != s.logID {
		b.counts.Misdelivered++
		b.noteLocked("%s got a message of %s in %s", s.who, b.logs[stamp.Log].name, b.logs[s.logID].name)
		return false
	}
	if s.joined.IsZero() { // it came before the answer to the first join
		return false
	}
	if p.Offset == 0 {
		b.counts.Unnumbered++
		return s.takeLocked(stamp)
	}
	at := place{line.last.epoch, p.Offset}
	if p.Epoch != "" {
		at.epoch = b.epochLocked(b.logs[s.logID], p.Epoch)
	}
	if !s.inLineLocked(line, at, stamp) {
		return false
	}
	b.settleLocked(at, stamp)
	if !at.beyond(s.position) {
		b.counts.Dropped++
		if !s.had.has(stamp.N) && at.beyond(s.from) {
			b.noteLocked("%s drops offset %d of %s, which it never had: it is at %d", s.who, at.offset, b.logs[s.logID].name, s.position.offset)
		}
		return false
	}
	s.position = at
	return s.takeLocked(stamp)
}

// inLineLocked checks the order on one connection.
func (s *Seat) inLineLocked(line *Line, at place, stamp Stamp) bool {
	b, before := s.book, line.last
	if line.known && at.epoch == before.epoch && at.offset <= before.offset {
		b.faultLocked(s, stamp, "%s got offset %d of %s after %d on one connection", s.who, at.offset, b.logs[s.logID].name, before.offset)
		return false
	}
	if line.known && at.epoch == before.epoch && at.offset > before.offset+1 {
		b.counts.Gaps++
		b.noteLocked("%s sees a gap in %s: offset %d after %d", s.who, b.logs[s.logID].name, at.offset, before.offset)
	}
	*line = Line{known: true, last: at}
	return true
}

// faultLocked counts a message that came where it must not: twice when the seat
// has it, else out of order.
func (b *Book) faultLocked(s *Seat, stamp Stamp, format string, args ...any) {
	if s.had.has(stamp.N) {
		b.counts.Duplicated++
		b.noteLocked("duplicated: "+format, args...)
		return
	}
	b.counts.OutOfOrder++
	b.noteLocked("out of order: "+format, args...)
}

// takeLocked gives the seat a message that it must not have yet.
func (s *Seat) takeLocked(stamp Stamp) bool {
	b := s.book
	if s.had.has(stamp.N) {
		b.counts.Duplicated++
		m := b.logs[stamp.Log].messages[stamp.N]
		b.noteLocked("duplicated: %s got message %d of %s (%v) a second time, at offset %d", s.who, stamp.N, b.logs[stamp.Log].name, m.source, s.position.offset)
		return false
	}
	s.had.set(stamp.N)
	b.logs[stamp.Log].messages[stamp.N].received++
	b.counts.Delivered++
	return true
}

// settleLocked notes which message is at a place, and checks that all receivers
// see the same there.
func (b *Book) settleLocked(at place, stamp Stamp) {
	l := b.logs[stamp.Log]
	if n, taken := l.places[at]; taken {
		if n != stamp.N {
			b.counts.OutOfOrder++
			b.noteLocked("out of order: %s has messages %d and %d both at offset %d", l.name, n, stamp.N, at.offset)
		}
		return
	}
	l.places[at] = stamp.N
	m := &l.messages[stamp.N]
	if m.offset != 0 && m.epoch == at.epoch {
		b.counts.Duplicated++
		b.noteLocked("duplicated: message %d of %s (%v) is at offsets %d and %d", stamp.N, l.name, m.source, m.offset, at.offset)
		return
	}
	m.epoch, m.offset = at.epoch, at.offset
}
