package room

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// The model of a hub: who is where, in plain maps. Random steps are made on both,
// and every device must get what the model says, every callback its answer.
type model struct {
	*world
	rng      *rand.Rand
	stepwise bool // settle after each step; otherwise rooms are anchored
	devices  []*modelDevice
	members  map[Key]int  // attached devices in a key
	settled  map[Key]bool // keys that the bus has confirmed
	answers  []*modelAnswer
	sent     int
}

type modelDevice struct {
	*device
	in    map[Key]bool
	gone  bool
	want  []string
	got   []string
	heard map[string]string // last status of those it watches
}

type modelAnswer struct {
	answer
	what   string
	device *modelDevice
	key    Key
	want   error
}

var (
	modelUsers = []string{"a", "b", "c", "d", "e"}
	modelRooms = []Key{Room("1"), Room("2"), Room("3"), Room("4"), Room("5")}
)

func TestHub_BehavesLikeItsModel(t *testing.T) {
	for seed := range int64(40) {
		stepwise := seed%2 == 1
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			m := newModel(t, seed, stepwise)
			for range 25 {
				for range 20 {
					m.step()
				}
				m.verify()
			}
			m.end()
		})
	}
}

func newModel(t *testing.T, seed int64, stepwise bool) *model {
	w := newWorld(t, func(c *Config) { c.MaxRooms = 4 })
	m := &model{
		world: w, rng: rand.New(rand.NewSource(seed)), stepwise: stepwise,
		members: map[Key]int{}, settled: map[Key]bool{},
	}
	if stepwise {
		return m
	}
	// With a member of each room in each shard, it is certain which shards a
	// delivery reaches before everything asked for earlier has been done.
	for i := range w.shards {
		anchor := m.attach(w.userIn(i, i))
		w.cfg.MaxRooms = len(modelRooms)
		for _, key := range modelRooms {
			m.join(anchor, key)
		}
		w.settle()
		w.cfg.MaxRooms = 4
	}
	return m
}

// step does one random thing.
func (m *model) step() {
	key := modelRooms[m.rng.Intn(len(modelRooms))]
	user := modelUsers[m.rng.Intn(len(modelUsers))]
	if m.rng.Intn(3) == 0 {
		key = Watch(user)
	}
	d := m.someone()
	switch n := m.rng.Intn(100); {
	case n < 10 || d == nil:
		m.attach(user)
	case n < 16:
		m.detach(d)
	case n < 40:
		m.join(d, key)
	case n < 60:
		m.leave(d, key)
	case n < 95:
		m.deliver([]Key{key, User(user), {}}[m.rng.Intn(3)])
	case n < 98:
		m.confirmAll()
		m.tick(m.rng.Intn(4))
	default:
		m.confirmAll()
		m.bus.hold(m.stepwise && m.rng.Intn(2) == 0)
	}
	if m.stepwise {
		m.settle()
	}
}

// someone is any device but an anchor, attached or not.
func (m *model) someone() *modelDevice {
	anchors := len(m.shards)
	if m.stepwise {
		anchors = 0
	}
	if len(m.devices) == anchors {
		return nil
	}
	return m.devices[anchors+m.rng.Intn(len(m.devices)-anchors)]
}

func (m *model) answer(what string, d *modelDevice, key Key) *modelAnswer {
	a := &modelAnswer{what: what, device: d, key: key}
	m.answers = append(m.answers, a)
	return a
}

func (m *model) attach(user string) *modelDevice {
	d := &modelDevice{device: newDevice(user), in: map[Key]bool{}, heard: map[string]string{}}
	m.devices = append(m.devices, d)
	a := m.answer("Attach", d, User(user))
	m.enter(d, User(user))
	m.Attach(&d.Member, a.done)
	return d
}

// enter puts d into key.
func (m *model) enter(d *modelDevice, key Key) {
	if m.members[key]++; m.members[key] == 1 {
		m.settled[key] = !m.bus.held || key.Kind == KindWatch
	}
	d.in[key] = true
}

// exit takes d out of key; what waits for the bus is told that it is gone.
func (m *model) exit(d *modelDevice, key Key) {
	for _, a := range m.answers {
		if a.device == d && a.key == key && a.calls == 0 && !m.settled[key] {
			a.want = ErrGone
		}
	}
	delete(d.in, key)
	if m.members[key]--; m.members[key] == 0 {
		delete(m.members, key)
		delete(m.settled, key)
	}
}

func (m *model) detach(d *modelDevice) {
	m.settle() // who detaches in the same batch may be told that it is gone, or not
	for key := range d.in {
		m.exit(d, key)
	}
	d.gone = true
	m.Detach(&d.Member)
}

func (m *model) join(d *modelDevice, key Key) {
	a := m.answer("Join", d, key)
	limit, full := m.cfg.MaxRooms, ErrTooManyRooms
	if key.Kind == KindWatch {
		limit, full = m.cfg.MaxWatched, ErrTooManyWatched
	}
	count := 0
	for k := range d.in {
		if k.Kind == key.Kind {
			count++
		}
	}
	switch {
	case d.gone:
		a.want = ErrGone
	case d.in[key]:
	case count >= limit:
		a.want = full
	default:
		m.enter(d, key)
	}
	m.Join(&d.Member, key, false, a.done)
}

func (m *model) leave(d *modelDevice, key Key) {
	if !d.in[key] {
		a := m.answer("Leave", d, key)
		a.want = ErrNotMember
		m.Leave(&d.Member, key, a.done)
		return
	}
	m.exit(d, key)
	m.Leave(&d.Member, key, m.answer("Leave", d, key).done)
	if key.Kind == KindWatch {
		m.settle()
		d.collect(m.t)
		delete(d.heard, key.Name)
	}
}

// deliver sends to key, or to everybody when it is empty.
func (m *model) deliver(key Key) {
	m.sent++
	message := fmt.Sprintf("message %d", m.sent)
	for _, d := range m.devices {
		if d.in[key] || (key.Name == "" && !d.gone) {
			d.want = append(d.want, message)
		}
	}
	if key.Name == "" {
		m.Broadcast(text("%s", message))
		return
	}
	if key.Kind == KindWatch && !m.stepwise {
		m.settle() // nobody anchors those who watch
	}
	m.Deliver(key, text("%s", message))
}

func (m *model) confirmAll() {
	m.settle()
	for key := range m.settled {
		m.bus.confirm(key)
		m.settled[key] = true
	}
	m.settle()
}

// verify compares what has come out with the model.
func (m *model) verify() {
	m.t.Helper()
	m.confirmAll()
	check(m.t, m.world)
	for _, a := range m.answers {
		if a.calls != 1 || !errors.Is(a.err, a.want) {
			m.t.Errorf("%s of %s was answered %d times, last with %v; want once with %v",
				a.what, nameOf(a.key), a.calls, a.err, a.want)
		}
	}
	m.answers = nil
	for _, d := range m.devices {
		d.collect(m.t)
		if !slices.Equal(d.got, d.want) {
			m.t.Fatalf("a device of %s got %q, want %q", d.user, d.got, d.want)
		}
		d.want, d.got = nil, nil
	}
}

// collect looks at what d was sent: messages, and the status of others, which
// must not be told twice while d watches.
func (d *modelDevice) collect(t testing.TB) {
	t.Helper()
	for _, message := range slices.Concat(d.conn.take()...) {
		user, status, ok := strings.Cut(message, ") ")
		if !ok {
			d.got = append(d.got, message)
			continue
		}
		user, _, _ = strings.Cut(user, "(")
		if d.heard[user] == status {
			t.Errorf("a device of %s heard twice that %s is %s", d.user, user, status)
		}
		d.heard[user] = status
	}
}

// end lets every grace pass and compares what watchers have heard with what is;
// then everybody goes.
func (m *model) end() {
	m.tick(graceTicks)
	m.verify()
	for _, d := range m.devices {
		for user, status := range d.heard {
			online := len(m.Online([]string{user})) > 0
			if d.in[Watch(user)] && online != (status == "online") {
				m.t.Errorf("a device of %s heard that %s is %s, and online is %v", d.user, user, status, online)
			}
		}
	}
	for _, d := range m.devices {
		m.detach(d)
	}
	m.verify()
	m.tick(graceTicks)
	checkEmpty(m.t, m.world)
}
