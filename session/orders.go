package session

import (
	"errors"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
)

// What backends have a user's connections on this node do. These may be called
// from any goroutine, wait for nothing but short locks, and return how many
// connections there were.

// JoinRoom has every connection of a user enter a room, whatever the rules of its
// namespace say; their clients get joined as if they had asked.
func (m *Manager) JoinRoom(user, name string) int {
	members := m.hub.MembersIn(room.User(user))
	for _, member := range members {
		sessionOf(member).join("", name, nil)
	}
	return len(members)
}

// LeaveRoom has every connection of a user leave a room; the clients of those
// that were in it get left. It counts those alone.
func (m *Manager) LeaveRoom(user, name string) (n int) {
	key := room.Room(name)
	in := map[*room.Member]bool{}
	for _, member := range m.hub.MembersIn(key) {
		in[member] = true
	}
	for _, member := range m.hub.MembersIn(room.User(user)) {
		if !in[member] {
			continue
		}
		n++
		s := sessionOf(member)
		m.hub.Leave(member, key, func(err error) {
			if !errors.Is(err, room.ErrNotMember) {
				s.reply(func(dst []byte) []byte { return message.AppendLeft(dst, "", name) })
			}
		})
	}
	return n
}
