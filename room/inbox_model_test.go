package room

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// inboxModel is devices of one user that come, read now and then, confirm, and go,
// with the bus and the store of logModel. What they have not confirmed they get, in
// order, from the first to the last.
type inboxModel struct {
	*logModel
	devices []*inboxDevice
}

type inboxDevice struct {
	*device  // nil while it is away
	name     string
	greeted  bool
	got      uint64 // the last offset on this connection
	acked    uint64
	problems []string
}

func TestInbox_EveryDeviceGetsEverythingItHasNotConfirmed(t *testing.T) {
	for seed := range int64(200) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			m := newInboxModel(t, seed)
			for range 400 {
				m.step()
			}
			m.calm()
			m.verify()
		})
	}
}

func newInboxModel(t *testing.T, seed int64) *inboxModel {
	w := newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 5 * text("e1/1").Len() })
	w.store.size = 10_000
	m := &inboxModel{logModel: &logModel{logWorld: w, rng: rand.New(rand.NewSource(seed)), key: User("box1")}}
	for i := range 4 {
		m.devices = append(m.devices, &inboxDevice{name: fmt.Sprint(i)})
	}
	w.store.hold(true)
	return m
}

func (m *inboxModel) step() {
	d := m.devices[m.rng.Intn(len(m.devices))]
	switch n := m.rng.Intn(100); {
	case n < 30:
		m.send()
	case n < 50:
		m.carry()
	case n < 65:
		m.store.answer(m.rng.Intn(3))
	case n < 72:
		m.come(d)
	case n < 86:
		m.readOn(d)
	case n < 90:
		m.confirm(d)
	case n < 93:
		m.leave(d)
	case n < 94:
		m.store.set(m.rng.Intn(2) == 0)
	case n < 97:
		m.Hub.tick()
	case n < 98:
		m.CheckLog(m.key)
	}
	if m.rng.Intn(3) > 0 {
		m.settle()
	}
}

// come connects a device that is away; some read all at once, others now and then.
func (m *inboxModel) come(d *inboxDevice) {
	if d.device != nil {
		return
	}
	c := newDevice("box1")
	c.conn.fallBehind(m.rng.Intn(3) > 0)
	d.device, d.greeted, d.got = c, false, d.acked
	m.AttachInbox(&c.Member, d.name, func(at Admission, err error) {
		if err == nil {
			_ = c.conn.Send(text("welcome %d %t", at.Unread, at.Recovered))
		}
	})
}

// readOn takes what a device got, which must go on where it was, and has it catch
// up.
func (m *inboxModel) readOn(d *inboxDevice) {
	if d.device == nil {
		return
	}
	for _, w := range d.conn.take() {
		for _, text := range w {
			d.take(text)
		}
	}
	m.CaughtUp(&d.Member)
}

func (d *inboxDevice) take(text string) {
	var offset uint64
	var unread int
	var recovered bool
	if n, _ := fmt.Sscanf(text, "welcome %d %t", &unread, &recovered); n == 2 {
		if d.greeted || !recovered {
			d.problems = append(d.problems, fmt.Sprintf("got %q, greeted: %t", text, d.greeted))
		}
		d.greeted = true
		return
	}
	if _, err := fmt.Sscanf(text, "e1/%d", &offset); err != nil || offset != d.got+1 || !d.greeted {
		d.problems = append(d.problems, fmt.Sprintf("got %s behind %d", text, d.got))
	}
	d.got = max(d.got, offset)
}

// confirm has the store know what a device has got.
func (m *inboxModel) confirm(d *inboxDevice) {
	m.readOn(d)
	d.acked = d.got
	m.store.ack("box1/"+d.name, d.acked)
}

func (m *inboxModel) leave(d *inboxDevice) {
	if d.device != nil {
		m.readOn(d)
		m.Detach(&d.Member)
		d.device = nil
	}
}

// calm lets everything come to rest, with all devices there and read up.
func (m *inboxModel) calm() {
	m.store.set(false)
	m.store.hold(false)
	for m.store.answer(0) {
	}
	m.settle()
	for len(m.wire) > 0 {
		m.carry()
	}
	for _, d := range m.devices {
		m.come(d)
	}
	m.tick(20)
	m.CheckLog(m.key)
	m.tick(20)
	for range 500 {
		for _, d := range m.devices {
			m.readOn(d)
		}
		m.settle()
	}
	m.send()
	m.CheckLog(m.key)
	m.tick(20)
}

func (m *inboxModel) verify() {
	last := m.store.page(m.key, 0, 0).Offset
	for _, d := range m.devices {
		m.readOn(d)
		if d.got != last || len(d.problems) > 0 {
			m.t.Errorf("device %s has got %d of %d messages: %s", d.name, d.got, last, strings.Join(d.problems, "; "))
		}
	}
	m.settle()
	check(m.t, m.world)
}
