package pubsub

import "strings"

// Kind says which family of channels a message belongs to.
type Kind uint8

// The kinds of channels, with the channel each stands for. PREFIX is
// Config.Prefix, "websocket:" unless configured.
const (
	// KindBroadcast is PREFIX + "broadcast": every connection of every node.
	// It has no name.
	KindBroadcast Kind = iota
	// KindUser is PREFIX + "user:" + user id: all devices of the user.
	KindUser
	// KindNotification is PREFIX + "notification:" + user id: the same
	// devices, for messages that are notifications whatever type they name.
	KindNotification
	// KindRoom is PREFIX + "room:" + room: all members of the room. A room
	// name may hold colons.
	KindRoom
	// KindStatus is PREFIX + "status:" + user id: edges of the user's status,
	// for nodes where somebody watches the user.
	KindStatus
	// KindHere is PREFIX + "here:" + room: edges of the status of users in a
	// room with presence, for nodes with members of it.
	KindHere
	// KindControl is PREFIX + "control:" + node id: what other nodes want of
	// this one; without a name PREFIX + "control": of all nodes.
	KindControl
)

// segments holds what stands between the prefix and the name, by kind.
var segments = [...]string{
	KindBroadcast:    "broadcast",
	KindUser:         "user:",
	KindNotification: "notification:",
	KindRoom:         "room:",
	KindStatus:       "status:",
	KindHere:         "here:",
	KindControl:      "control:",
}

// controlAll is what stands behind the prefix of the channel to all nodes.
const controlAll = "control"

// String returns the kind as it stands in the channel: "room", "user" ...
func (k Kind) String() string {
	if int(k) >= len(segments) {
		return "unknown"
	}
	return strings.TrimSuffix(segments[k], ":")
}

// channelName returns the Redis channel of kind and name under prefix.
func channelName(prefix string, kind Kind, name string) string {
	switch {
	case kind == KindBroadcast:
		return prefix + segments[KindBroadcast]
	case kind == KindControl && name == "":
		return prefix + controlAll
	}
	return prefix + segments[kind] + name
}

// parseChannel is the inverse of channelName. The name shares the channel's
// memory. It reports false for a channel that is not one of ours.
func parseChannel(prefix, channel string) (kind Kind, name string, ok bool) {
	rest, ok := strings.CutPrefix(channel, prefix)
	if !ok {
		return 0, "", false
	}
	switch rest {
	case segments[KindBroadcast]:
		return KindBroadcast, "", true
	case controlAll:
		return KindControl, "", true
	}
	for _, k := range [...]Kind{KindRoom, KindUser, KindNotification, KindStatus, KindHere, KindControl} {
		if name, ok := strings.CutPrefix(rest, segments[k]); ok {
			return k, name, true
		}
	}
	return 0, "", false
}
