package session

import (
	"fmt"
	"hash/maphash"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/message"
)

// Delivery says what may happen to messages that wait for a client that reads
// too slowly; see engine.Class.
type Delivery struct {
	Class  Class
	MaxAge time.Duration // of DeliverDrop
}

// Class is one of the ways to deliver; empty leaves it to the message's type.
type Class string

// Classes.
const (
	DeliverMust   Class = "must"   // it arrives, or the connection is closed
	DeliverLatest Class = "latest" // the latest of its key does
	DeliverDrop   Class = "drop"   // it does while it is younger than MaxAge
)

// MaxDeliveryAge bounds Delivery.MaxAge.
const MaxDeliveryAge = time.Hour

func (d Delivery) validate(name string) error {
	switch d.Class {
	case "", DeliverMust, DeliverLatest:
		return nil
	case DeliverDrop:
		if d.MaxAge < time.Millisecond || d.MaxAge > MaxDeliveryAge {
			return fmt.Errorf("session: %s.max_age is %s: allowed is 1ms to %s", name, d.MaxAge, MaxDeliveryAge)
		}
		return nil
	default:
		return fmt.Errorf("session: %s.class is %q: allowed are must, latest, drop and none", name, d.Class)
	}
}

// deliveryOf is the rule for a message of this type: that of the room's namespace
// if it has one, else that of the type.
func (c *Config) deliveryOf(to Target, name, typ string) Delivery {
	if to == ToRoom {
		if d := c.Namespaces.of(name).Delivery; d.Class != "" {
			return d
		}
	}
	if typ == message.TypeDataUpdate {
		return c.DataUpdate
	}
	return Delivery{Class: DeliverMust}
}

// classed gives a frame, made of a message for name, the class that the rules say.
func (m *Manager) classed(f *engine.Frame, to Target, name, typ string, env *message.Envelope) *engine.Frame {
	switch d := m.cfg.deliveryOf(to, name, typ); d.Class {
	case DeliverLatest:
		return f.Latest(latestKey(to, name, typ, env))
	case DeliverDrop:
		return f.DropAfter(d.MaxAge)
	default:
		return f
	}
}

var keySeed = maphash.MakeSeed()

// latestKey is what a message is the latest of: for a data_update the entity that
// it tells of, else its type and sender, in one room or for one user. Keys of
// different things are as unlikely to meet as a guess of 64 bits.
func latestKey(to Target, name, typ string, env *message.Envelope) uint64 {
	var h maphash.Hash
	h.SetSeed(keySeed)
	part := func(b []byte) {
		_, _ = h.Write(b)  // it never fails
		_ = h.WriteByte(0) // no JSON holds it, and no name
	}
	part([]byte{byte(to) + 1})
	part([]byte(name))
	part([]byte(typ))
	if typ == message.TypeDataUpdate {
		entity, id := message.EntityOf(env.Content)
		part(entity)
		part(id)
	} else {
		part(env.From())
	}
	return h.Sum64()
}

// statusKey is what a status is the latest of: its user.
func statusKey(userID string) uint64 {
	var h maphash.Hash
	h.SetSeed(keySeed)
	_ = h.WriteByte(0) // of no Target
	_, _ = h.WriteString(userID)
	return h.Sum64()
}
