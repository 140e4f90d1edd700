package stream

import (
	"context"
	"fmt"
)

// Inbox is what waits for one device of a user.
type Inbox struct {
	Page
	// Acked is the offset up to which the device has acknowledged; 0 for a
	// device that is not known, which then gets all that is kept.
	Acked uint64
	// Unread counts the messages that are kept and not acknowledged. Entries
	// may hold fewer of them.
	Unread int
}

// OpenInbox returns what waits for a device of user: at most limit messages,
// of MaxReadBytes together but at least one. It changes nothing of the device.
// Devices without a name of their own may share "".
func (s *Store) OpenInbox(ctx context.Context, user, device string, limit int) (Inbox, error) {
	n := s.names(Key{User, user})
	answer, err := s.run(ctx, openScript, []string{n.meta(), n.entries(), n.devices()},
		newEpoch(), device, max(limit, 0), MaxReadBytes, s.metaTTL(0))
	r := answerReader{rest: answer, err: err}
	if err == nil {
		in := Inbox{Page: Page{Position: r.position(), First: r.offset()}, Acked: r.offset()}
		in.Unread = int(r.offset()) //nolint:gosec // at most the size of the log
		in.Entries = r.entries()
		if r.err == nil {
			return in, nil
		}
	}
	return Inbox{}, fmt.Errorf("stream: open inbox of %q: %w", user, r.err)
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
