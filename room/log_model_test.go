package room

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// logModel is members of one log that come and go with the position that they
// have, a bus that loses, doubles and reorders what it carries, and a store whose
// answers come late, in any order, or not at all.
type logModel struct {
	*logWorld
	key     Key
	rng     *rand.Rand
	members []*logMember
	wire    []Entry // pushed and not delivered, of any age
}

type logMember struct {
	*device
	joined bool // asked to, and not asked to leave
	seen   uint64
	errors []string
}

func TestLog_EveryMemberGetsEveryMessageOnceInOrder(t *testing.T) {
	for seed := range int64(200) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			m := newLogModel(t, seed)
			for range 400 {
				m.step()
			}
			m.calm()
			m.verify()
		})
	}
}

func newLogModel(t *testing.T, seed int64) *logModel {
	w := newLogWorld(t, func(c *Config) { c.History.ReplayBytes = 1 << 20 })
	w.store.size = 10_000
	m := &logModel{logWorld: w, key: logged, rng: rand.New(rand.NewSource(seed))}
	for i := range 6 {
		m.members = append(m.members, &logMember{device: w.attach(fmt.Sprintf("u%d", i))})
	}
	w.store.hold(true)
	return m
}

func (m *logModel) step() {
	d := m.members[m.rng.Intn(len(m.members))]
	switch n := m.rng.Intn(100); {
	case n < 35:
		m.send()
	case n < 60:
		m.carry()
	case n < 80:
		m.store.mu.Lock()
		waiting := len(m.store.waiting)
		m.store.mu.Unlock()
		if waiting > 0 {
			m.store.answer(m.rng.Intn(waiting))
		}
	case n < 86:
		m.read(d)
		if !d.joined {
			m.join(d)
		}
	case n < 88:
		m.read(d)
		if d.joined {
			d.joined = false
			m.Leave(&d.Member, logged, func(error) {})
		}
	case n < 90:
		m.store.set(m.rng.Intn(2) == 0)
	case n < 93:
		m.Hub.tick()
	case n < 94:
		m.CheckLog(logged)
	}
	if m.rng.Intn(3) > 0 {
		m.settle()
	}
}

// send appends a message and, unless it gets lost, puts it on the wire.
func (m *logModel) send() {
	at, payload := m.store.append(m.key)
	if m.rng.Intn(5) > 0 {
		m.wire = append(m.wire, Entry{Offset: at.Offset, Payload: payload})
	}
}

// carry delivers a message of the wire: mostly the oldest, sometimes another, and
// sometimes not for the last time.
func (m *logModel) carry() {
	if len(m.wire) == 0 {
		return
	}
	i := 0
	if m.rng.Intn(4) == 0 {
		i = m.rng.Intn(len(m.wire))
	}
	e := m.wire[i]
	if m.rng.Intn(5) > 0 {
		m.wire = append(m.wire[:i], m.wire[i+1:]...)
	}
	m.DeliverLog(m.key, "e1", e)
}

func (m *logModel) join(d *logMember) {
	m.settle() // its leave is done
	m.read(d)
	d.joined = true
	m.JoinLog(&d.Member, logged, false, &Position{"e1", d.seen}, func(at Admission, err error) {
		switch {
		case err != nil:
			d.joined = false
		case !at.Recovered:
			d.errors = append(d.errors, fmt.Sprintf("joined at %d without what is behind %d", at.Offset, d.seen))
		}
	})
}

// read takes what a member got, which must go on where it was.
func (m *logModel) read(d *logMember) {
	for _, w := range d.conn.take() {
		for _, text := range w {
			var offset uint64
			if _, err := fmt.Sscanf(text, "e1/%d", &offset); err != nil || offset != d.seen+1 {
				d.errors = append(d.errors, fmt.Sprintf("got %s behind %d", text, d.seen))
			}
			d.seen = max(d.seen, offset)
		}
	}
}

// calm lets everything come to rest, with all members in the room.
func (m *logModel) calm() {
	m.store.set(false)
	m.store.hold(false)
	for m.store.answer(0) {
	}
	m.settle()
	for len(m.wire) > 0 {
		m.carry()
	}
	m.tick(20)
	for _, d := range m.members {
		m.read(d)
		if !d.joined {
			m.join(d)
		}
	}
	m.settle()
	m.CheckLog(logged)
	m.tick(20)
}

func (m *logModel) verify() {
	last := m.store.page(logged, 0, 0).Offset
	for _, d := range m.members {
		m.read(d)
		if d.seen != last || len(d.errors) > 0 {
			m.t.Errorf("%s has seen %d of %d messages: %s", d.UserID(), d.seen, last, strings.Join(d.errors, "; "))
		}
	}
	check(m.t, m.world)
}
