package room

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A little less than half an inbox: it takes three, and is full then.
var half = text("%s", strings.Repeat("x", maxInboxBytes/2-10))

func TestInbox_DeliveriesWaitForAWorkerThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b inbox
		b.init()
		entered := 0
		go func() {
			for range 5 {
				b.pushWait(op{kind: opDeliver, frame: half})
				entered++
			}
		}()
		synctest.Wait()
		if entered != 3 {
			t.Errorf("%d deliveries got in, want 3", entered)
		}
		b.push(op{kind: opTick}) // everything else is let in
		if got := len(b.take(nil)); got != 4 {
			t.Errorf("the worker took %d ops, want the 3 deliveries and the tick", got)
		}
		synctest.Wait()
		if got := len(b.take(nil)); entered != 5 || got != 2 {
			t.Errorf("%d deliveries got in, and the worker took %d; want 5 and the 2 that waited", entered, got)
		}
	})
}

// worker takes batches until the inbox is closed, and says how many ops each has.
func worker(b *inbox) (batches func() []int) {
	var sizes []int
	go func() {
		for ops := b.take(nil); ops != nil; ops = b.take(nil) {
			sizes = append(sizes, len(ops))
		}
	}()
	return func() []int {
		synctest.Wait()
		return sizes
	}
}

func TestInbox_QuietDeliveriesWaitForTheWake(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(*inbox)
		want []int
	}{
		"nothing":          {func(*inbox) {}, nil},
		"wake":             {(*inbox).wake, []int{2}},
		"something louder": {func(b *inbox) { b.push(op{kind: opTick}) }, []int{3}},
		"a delivery":       {func(b *inbox) { b.pushWait(op{kind: opDeliver, frame: text("x")}) }, []int{3}},
		"close":            {(*inbox).close, []int{2}},
		"a lot": {func(b *inbox) {
			for range maxAsleep - 2 {
				b.pushQuietly(op{kind: opDeliver, frame: text("x")})
			}
		}, []int{maxAsleep}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b inbox
				b.init()
				defer b.close()
				batches := worker(&b)
				batches() // the worker sleeps
				b.pushQuietly(op{kind: opDeliver, frame: text("x")})
				b.pushQuietly(op{kind: opDeliver, frame: text("y")})
				tt.then(&b)
				if got := batches(); !slices.Equal(got, tt.want) {
					t.Errorf("the worker took batches of %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestInbox_QuietDeliveriesWakeAWorkerThatIsFarBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b inbox
		b.init()
		batches := worker(&b)
		batches()
		for range 5 {
			b.pushQuietly(op{kind: opDeliver, frame: half})
		}
		b.wake()
		total := 0
		for _, n := range batches() {
			total += n
		}
		if total != 5 {
			t.Errorf("the worker took %d deliveries, want all 5", total)
		}
		b.close()
	})
}

func TestInbox_CloseFreesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b inbox
		b.init()
		freed := false
		go func() {
			for range 5 {
				b.pushWait(op{kind: opDeliver, frame: half})
			}
			freed = true
		}()
		synctest.Wait()
		b.close()
		synctest.Wait()
		if !freed {
			t.Error("who waited to deliver waits still, after close")
		}
		if got := len(b.take(nil)); got != 3 {
			t.Errorf("the worker took %d ops after close, want the 3 from before", got)
		}
		b.push(op{kind: opTick})
		if got := b.take(nil); got != nil {
			t.Errorf("the worker took %d ops from a closed inbox, want none", len(got))
		}
	})
}

func TestInbox_ReusesTheSliceOfTheWorker(t *testing.T) {
	var b inbox
	b.init()
	b.push(op{kind: opTick})
	first := b.take(nil)
	b.push(op{kind: opTick})
	second := b.take(first)
	b.push(op{kind: opTick})
	if third := b.take(second); &third[0] != &first[0] {
		t.Error("the inbox did not fill the slice that the worker gave back")
	}
}
