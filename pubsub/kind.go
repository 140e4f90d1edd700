package pubsub

import (
	"strings"

	"github.com/ginforge/gateway/pubsub/stream"
)

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
	// KindRoomLog is the live channel of a room that keeps history, PREFIX +
	// "log:{room:" + room + "}": what Append publishes there. Such a room is
	// heard on this channel only.
	KindRoomLog
	// KindUserLog is the live channel of a user's inbox, PREFIX +
	// "log:{user:" + user id + "}".
	KindUserLog
	// KindStatus is PREFIX + "status:" + user id: the user's edges of
	// presence, for those who watch.
	KindStatus
	// KindHere is PREFIX + "here:" + room: edges of presence in the room.
	KindHere
	// KindControl is how nodes talk to one another: PREFIX + "control" for
	// all of them, which has no name, and PREFIX + "control:" + node id.
	KindControl
)

// segments holds what stands between the prefix and the name, by kind.
var segments = [...]string{
	KindBroadcast:    "broadcast",
	KindUser:         "user:",
	KindNotification: "notification:",
	KindRoom:         "room:",
	KindRoomLog:      "log:{room:",
	KindUserLog:      "log:{user:",
	KindStatus:       "status:",
	KindHere:         "here:",
	KindControl:      "control:",
}

// kindNames holds what String says, by kind.
var kindNames = [...]string{
	KindBroadcast:    "broadcast",
	KindUser:         "user",
	KindNotification: "notification",
	KindRoom:         "room",
	KindRoomLog:      "room log",
	KindUserLog:      "user log",
	KindStatus:       "status",
	KindHere:         "here",
	KindControl:      "control",
}

// String returns the kind for people: "room", "user log" ...
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// isLog reports whether what comes on the kind's channels has positions.
func (k Kind) isLog() bool { return k == KindRoomLog || k == KindUserLog }

// LogKind returns the kind of the live channels of a kind of log.
func LogKind(k stream.Kind) Kind {
	if k == stream.User {
		return KindUserLog
	}
	return KindRoomLog
}

// segmentsOf returns what stands before and after the name of kind and name.
func segmentsOf(kind Kind, name string) (before, after string) {
	before = segments[kind]
	switch {
	case kind.isLog():
		after = "}"
	case kind == KindControl && name == "":
		before = controlAll
	}
	return before, after
}

// controlAll stands for the channel that all nodes hear.
const controlAll = "control"

// channelName returns the Redis channel of kind and name under prefix.
func channelName(prefix string, kind Kind, name string) string {
	if kind == KindBroadcast {
		return prefix + segments[KindBroadcast]
	}
	before, after := segmentsOf(kind, name)
	return prefix + before + name + after
}

// namedKinds are the kinds whose channels have names, the busiest first.
var namedKinds = [...]Kind{KindRoom, KindRoomLog, KindUser, KindUserLog, KindNotification, KindStatus, KindHere, KindControl}

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
	for _, k := range namedKinds {
		if name, ok := strings.CutPrefix(rest, segments[k]); ok {
			if k.isLog() {
				name, ok = strings.CutSuffix(name, "}")
			}
			return k, name, ok
		}
	}
	return 0, "", false
}
