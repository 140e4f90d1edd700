package room

import (
	"testing"
	"unsafe"
)

// What hangs off each connection decides how many a node holds. These are sizes
// of a 64-bit machine; a change that makes one of them grow should be meant.
func TestSizes(t *testing.T) {
	for name, c := range map[string]struct{ got, limit uintptr }{
		"Member, one for each connection":         {unsafe.Sizeof(Member{}), 104},
		"seat, one for each membership":           {unsafe.Sizeof(seat{}), 16},
		"occupant, one for each membership":       {unsafe.Sizeof(occupant{}), 16},
		"list, one for each user and room part":   {unsafe.Sizeof(list{}), 48},
		"entry, one for each room, key and all":   {unsafe.Sizeof(entry{}), 40},
		"op, one for each thing that queues up":   {unsafe.Sizeof(op{}), 80},
		"log, one for each room or user with one": {unsafe.Sizeof(log{}), 304},
		"link, one for each frame of a recipient": {unsafe.Sizeof(link{}), 16},
	} {
		if c.got > c.limit {
			t.Errorf("%s: %d bytes, want at most %d", name, c.got, c.limit)
		}
	}
}
