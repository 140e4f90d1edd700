package room

import (
	"strings"
	"testing"
)

// A little less than half an inbox: it takes three, and is full then.
var half = text("%s", strings.Repeat("x", maxInboxBytes/2-10))

func TestInbox_DeliveriesWaitForAWorkerThatIsBehind(t *testing.T) {
	var b inbox
	b.init()
	for range 3 {
		b.pushWait(op{kind: opDeliver, frame: half})
	}
	entered := make(chan struct{})
	go func() {
		b.pushWait(op{kind: opDeliver, frame: half})
		close(entered)
	}()
	b.push(op{kind: opTick}) // everything else is let in
	select {
	case <-entered:
		t.Fatal("a delivery got into a full inbox")
	default:
	}
	if got := len(b.take(nil)); got != 4 {
		t.Errorf("the worker took %d ops, want the 3 deliveries and the tick", got)
	}
	<-entered
	if got := b.take(nil); len(got) != 1 || got[0].frame != half {
		t.Errorf("the worker took %d ops, want the delivery that waited", len(got))
	}
}

func TestInbox_CloseFreesThoseWhoWait(t *testing.T) {
	var b inbox
	b.init()
	for range 3 {
		b.pushWait(op{kind: opDeliver, frame: half})
	}
	freed := make(chan struct{})
	go func() {
		b.pushWait(op{kind: opDeliver, frame: half})
		close(freed)
	}()
	b.close()
	<-freed
	if got := len(b.take(nil)); got != 3 {
		t.Errorf("the worker took %d ops after close, want the 3 from before", got)
	}
	b.push(op{kind: opTick})
	if got := b.take(nil); got != nil {
		t.Errorf("the worker took %d ops from a closed inbox, want none", len(got))
	}
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
