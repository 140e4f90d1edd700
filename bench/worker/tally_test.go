package worker

import "testing"

// Every message of a stream is received once, lost, or told apart from the
// others.
func TestTrack_Note(t *testing.T) {
	for name, tt := range map[string]struct {
		seqs []uint32
		want Counts
	}{
		"in order":                  {[]uint32{0, 1, 2, 3}, Counts{Received: 4}},
		"one lost":                  {[]uint32{0, 1, 3}, Counts{Received: 3, Skipped: 1}},
		"the first lost":            {[]uint32{1, 2}, Counts{Received: 2, Skipped: 1}},
		"one twice":                 {[]uint32{0, 1, 1, 2}, Counts{Received: 3, Duplicated: 1}},
		"the first twice":           {[]uint32{0, 0}, Counts{Received: 1, Duplicated: 1}},
		"two swapped":               {[]uint32{0, 2, 1, 3}, Counts{Received: 4, OutOfOrder: 1}},
		"late, then again":          {[]uint32{0, 2, 1, 1}, Counts{Received: 3, OutOfOrder: 1, Duplicated: 1}},
		"backwards":                 {[]uint32{3, 2, 1, 0}, Counts{Received: 4, OutOfOrder: 3}},
		"late within the window":    {[]uint32{64, 1}, Counts{Received: 2, OutOfOrder: 1, Skipped: 63}},
		"too late to be told apart": {[]uint32{0, 65, 1}, Counts{Received: 2, Duplicated: 1, Skipped: 64}},
		"a gap beyond the window":   {[]uint32{0, 1000, 1000, 999}, Counts{Received: 3, Duplicated: 1, OutOfOrder: 1, Skipped: 998}},
	} {
		t.Run(name, func(t *testing.T) {
			var tr track
			var got Counts
			for _, seq := range tt.seqs {
				tr.note(seq, &got)
			}
			if got != tt.want {
				t.Errorf("after %v: %+v, want %+v", tt.seqs, got, tt.want)
			}
		})
	}
}

func TestCrowd_Slot(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg          Config
		user, stream int
		slot         int
		ok           bool
	}{
		"a room's message to its member":     {Config{Mode: ModeRoom, Rooms: 10, Total: 100}, 23, 3, 0, true},
		"a room's message to a stranger":     {Config{Mode: ModeRoom, Rooms: 10, Total: 100}, 23, 4, 0, false},
		"one room for all":                   {Config{Mode: ModeRoom, Rooms: 1, Total: 100}, 99, 0, 0, true},
		"a sender to its room":               {Config{Mode: ModeChat, Rooms: 10, Total: 100}, 23, 53, 5, true},
		"a sender to itself":                 {Config{Mode: ModeChat, Rooms: 10, Total: 100}, 23, 23, 2, true},
		"a sender to another room":           {Config{Mode: ModeChat, Rooms: 10, Total: 100}, 23, 54, 5, false},
		"a sender that does not exist":       {Config{Mode: ModeChat, Rooms: 10, Total: 100}, 23, 103, 10, false},
		"a user to the partner":              {Config{Mode: ModeUser, Total: 100}, 73, 23, 0, true},
		"a user to the partner, round about": {Config{Mode: ModeUser, Total: 100}, 23, 73, 0, true},
		"a user to somebody else":            {Config{Mode: ModeUser, Total: 100}, 74, 23, 0, false},
		"everybody's":                        {Config{Mode: ModeAll}, 5, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := crowd{cfg: tt.cfg}
			if slot, ok := c.slot(tt.user, tt.stream); slot != tt.slot || ok != tt.ok {
				t.Errorf("slot(%d, %d) = %d, %v, want %d, %v", tt.user, tt.stream, slot, ok, tt.slot, tt.ok)
			}
		})
	}
}
