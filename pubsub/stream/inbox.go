package stream

import (
	"context"
	"fmt"
)

// InboxQuery asks what waits for a device of a user. Devices without a name of
// their own may share "".
type InboxQuery struct {
	User, Device string
	// After is where to read on behind; that of another epoch than the inbox has,
	// such as the zero Position, means where the device has acknowledged it.
	After Position
	// Limit bounds the messages and Bytes, at most MaxReadBytes, their payloads
	// together, but there is at least one.
	Limit, Bytes int
}

// Inbox is what waits for one device of a user.
type Inbox struct {
	Page
	// After is the offset behind which Entries begin.
	After uint64
	// Acked is the offset up to which the device has acknowledged; 0 for a
	// device that is not known, which then gets all that is kept.
	Acked uint64
	// Unread counts the messages that are kept and not acknowledged. Entries
	// may hold fewer of them.
	Unread int
}

// OpenInbox returns what waits for a device, the oldest first. It changes nothing
// of the device.
func (s *Store) OpenInbox(ctx context.Context, q InboxQuery) (Inbox, error) {
	n := s.names(Key{User, q.User})
	answer, err := s.run(ctx, openScript, []string{n.meta(), n.entries(), n.devices()},
		newEpoch(), q.Device, max(q.Limit, 0), min(q.Bytes, MaxReadBytes), s.metaTTL(0),
		q.After.Epoch, min(q.After.Offset, MaxOffset))
	r := answerReader{rest: answer, err: err}
	if err == nil {
		in := Inbox{Page: Page{Position: r.position(), First: r.offset()}, Acked: r.offset()}
		in.Unread = int(r.offset()) //nolint:gosec // at most the size of the log
		in.Entries = r.entries()
		if in.After = in.Acked; q.After.Epoch == in.Epoch {
			in.After = q.After.Offset
		}
		if r.err == nil {
			return in, nil
		}
	}
	return Inbox{}, fmt.Errorf("stream: open inbox of %q: %w", q.User, r.err)
}

// AckInbox notes that a device has everything up to offset, and returns up to
// where it has now: an offset behind that changes nothing, one beyond the last
// message means the last. Of more than MaxDevices devices of a user, the one
// furthest behind is forgotten.
func (s *Store) AckInbox(ctx context.Context, user, device string, offset uint64) (acked uint64, err error) {
	n := s.names(Key{User, user})
	answer, err := s.run(ctx, ackScript, []string{n.meta(), n.entries(), n.devices()},
		device, min(offset, MaxOffset), MaxDevices, s.metaTTL(0))
	r := answerReader{rest: answer, err: err}
	if err == nil {
		r.position()
		acked = r.offset()
	}
	if r.err != nil {
		return 0, fmt.Errorf("stream: acknowledge in inbox of %q: %w", user, r.err)
	}
	return acked, nil
}
