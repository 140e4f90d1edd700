package worker

// Counts are what became of the messages of one window.
type Counts struct {
	Received   int64 `json:"received"`     // each message of each receiver once
	Duplicated int64 `json:"duplicated"`   // came again, or so late that it cannot be told
	OutOfOrder int64 `json:"out_of_order"` // came after one that was sent later
	Skipped    int64 `json:"skipped"`      // jumped over and still missing: lost, unless they come late
	Foreign    int64 `json:"foreign"`      // came to one who should not have got them
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Received += o.Received
	c.Duplicated += o.Duplicated
	c.OutOfOrder += o.OutOfOrder
	c.Skipped += o.Skipped
	c.Foreign += o.Foreign
}

// track is one receiver's view of one stream: 16 bytes, of which there are as
// many as receivers and streams.
type track struct {
	next uint32 // the sequence number expected
	// seen has bit k set when next-1-k has come; the low bit is always set once
	// anything has.
	seen uint64
}

// trackWindow is how far back a late message can be told from a duplicate.
const trackWindow = 64

// note counts the arrival of seq.
func (t *track) note(seq uint32, c *Counts) {
	if seq >= t.next {
		gap := seq - t.next
		t.seen = t.seen<<(gap+1) | 1 // a shift of 64 and more leaves 0
		t.next = seq + 1
		c.Skipped += int64(gap)
		c.Received++
		return
	}
	back := t.next - 1 - seq
	if back >= trackWindow || t.seen>>back&1 == 1 {
		c.Duplicated++
		return
	}
	t.seen |= 1 << back
	c.OutOfOrder++
	c.Skipped--
	c.Received++
}
