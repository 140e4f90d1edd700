package session

import (
	"slices"

	"github.com/ginforge/gateway/room"
)

// Device is one connection of a user.
type Device struct {
	ClientID string // as in welcome
	DeviceID string // what the client calls its device, "" when it does not say
}

// Devices returns up to limit connections of a user on this node. It takes a
// short lock.
func (m *Manager) Devices(userID string, limit int) []Device {
	var devices []Device
	for _, s := range sessionsOf(m.hub.MembersIn(room.User(userID))) {
		if len(devices) < limit {
			devices = append(devices, Device{s.clientID(), s.deviceID()})
		}
	}
	return devices
}

// Why says why a connection is ended from outside.
type Why uint8

// The reasons.
const (
	// Disconnected by a backend.
	Disconnected Why = iota
	// Replaced by a newer connection of the user.
	Replaced
	// OverLimit, since the user has too many devices.
	OverLimit
)

var whyReasons = [...]reason{Disconnected: reasonDisconnected, Replaced: reasonReplaced, OverLimit: reasonDeviceLimit}

// Disconnect ends the connections of a user on this node that have one of
// clientIDs, if there are any, and deviceID unless it is empty. It returns how
// many. It waits for short locks only.
func (m *Manager) Disconnect(userID string, clientIDs []string, deviceID string, why Why) (ended int) {
	for _, s := range sessionsOf(m.hub.MembersIn(room.User(userID))) {
		if len(clientIDs) > 0 && !slices.Contains(clientIDs, s.clientID()) || deviceID != "" && s.deviceID() != deviceID {
			continue
		}
		s.close(whyReasons[why])
		ended++
	}
	return ended
}

// limited attaches the session when the device limit lets it in.
func (s *Session) limited(attach func()) {
	m := s.manager
	m.undecided.add(s.number)
	m.limit.Admit(s.member.UserID(), s.clientID(), s.deviceID(), func(admitted bool) {
		if !admitted {
			m.gate.Finish()
			s.close(reasonDeviceLimit)
			return // what it still sends is refused
		}
		m.undecided.remove(s.number)
		attach()
		m.recheck(s)
	})
}
