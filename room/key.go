package room

// Kind is a key space.
type Kind uint8

// Key spaces.
const (
	// KindRoom are the rooms that clients join by name.
	KindRoom Kind = iota
	// KindUser are the devices of a user.
	KindUser
	// KindWatch are the connections that watch a user's status. A channel of the
	// bus belongs to them with Config.Changed only.
	KindWatch
)

// Key names a room in one of the key spaces.
type Key struct {
	Kind Kind
	Name string
}

// Room is the key of a room that clients join.
func Room(name string) Key { return Key{KindRoom, name} }

// User is the key of a user's devices.
func User(id string) Key { return Key{KindUser, id} }

// Watch is the key of those who watch a user.
func Watch(id string) Key { return Key{KindWatch, id} }
