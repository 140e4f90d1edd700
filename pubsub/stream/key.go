package stream

import "strings"

// Kind says what a log is the log of.
type Kind uint8

// The kinds of logs.
const (
	// Room logs hold the messages of a room.
	Room Kind = iota
	// User logs are inboxes: they hold what was sent to a user.
	User
)

// String returns the kind as it stands in keys: "room" or "user".
func (k Kind) String() string {
	if k == User {
		return "user"
	}
	return "room"
}

// Key names a log. Its Name is a room's name or a user's id.
type Key struct {
	Kind Kind
	Name string
}

// String returns the key for people: "room:chat:1".
func (k Key) String() string { return k.Kind.String() + ":" + k.Name }

// The parts of a live channel's name after the prefix. A log's other keys
// begin with that name.
const (
	channelOpen  = "log:{"
	channelClose = "}"
)

// Channel returns the live channel of the log under prefix.
func Channel(prefix string, k Key) string {
	return prefix + channelOpen + k.Kind.String() + ":" + k.Name + channelClose
}

// ParseChannel is the inverse of Channel for a name without its prefix. The
// key shares its memory. It reports false for a name that is no live channel.
func ParseChannel(name string) (k Key, ok bool) {
	name, ok = strings.CutPrefix(name, channelOpen)
	if !ok {
		return Key{}, false
	}
	if name, ok = strings.CutSuffix(name, channelClose); !ok {
		return Key{}, false
	}
	if rest, ok := strings.CutPrefix(name, "room:"); ok {
		return Key{Room, rest}, true
	}
	if rest, ok := strings.CutPrefix(name, "user:"); ok {
		return Key{User, rest}, true
	}
	return Key{}, false
}

// SlotKey returns a key that is where the log is, in a Cluster.
func (s *Store) SlotKey(k Key) string { return s.names(k).meta() }

// names are the Redis keys of one log.
type names struct {
	channel string
}

func (s *Store) names(k Key) names { return names{Channel(s.opt.Prefix, k)} }

func (n names) meta() string             { return n.channel + ":meta" }
func (n names) entries() string          { return n.channel + ":entries" }
func (n names) devices() string          { return n.channel + ":devices" }
func (n names) seen(token string) string { return n.channel + ":seen:" + token }
