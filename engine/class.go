package engine

import "time"

// Class says what may happen to a message that waits for a peer who does not keep
// up.
type Class uint8

// Classes. A connection that is behind by more than half of what may wait for it
// drops what its class allows, before it is given up.
const (
	// ClassMust is for messages that must arrive, as all do that are not
	// something else.
	ClassMust Class = iota
	// ClassLatest is for messages that tell the state of something: a later one
	// with the same key makes the earlier one pointless.
	ClassLatest
	// ClassDrop is for messages that nobody wants when they are old.
	ClassDrop
	numClasses

	// classOwn is for the answers to the peer's own frames, which are encoded for
	// it alone, and for the close frame.
	classOwn = numClasses
)

// String is the class as a metric's label.
func (c Class) String() string {
	return [...]string{"must", "latest", "drop", "must"}[c]
}

// Latest makes f a frame of ClassLatest that takes the place of those with the same
// key. It must be called before f is shared, and returns f.
func (f *Frame) Latest(key uint64) *Frame {
	f.class, f.key = ClassLatest, key
	return f
}

// DropAfter makes f a frame of ClassDrop that is of no use when d has passed. It
// must be called before f is shared, and returns f.
func (f *Frame) DropAfter(d time.Duration) *Frame {
	f.class, f.dies = ClassDrop, sinceStart()+d
	return f
}

var processStart = time.Now()

// sinceStart is the time in which frames grow old; no clock is set back in it.
func sinceStart() time.Duration { return time.Since(processStart) }

// leaves calls yield with each message of the frames, in order, until it returns
// false.
func leaves(frames []*Frame, yield func(*Frame) bool) bool {
	for _, f := range frames {
		if f.parts == nil {
			if !yield(f) {
				return false
			}
		} else if !leaves(f.parts, yield) {
			return false
		}
	}
	return true
}

// Why a message that waited was not sent.
const (
	lostSuperseded = iota // a later one of the same key came
	lostExpired           // it became too old
	lostEvicted           // it made room for one that must arrive
	lostRefused           // there was no room for it, and the connection was given up
	lostGone              // its connection ended
	numLosses
)

var lossNames = [numLosses]string{"superseded", "expired", "evicted", "refused", "gone"}
