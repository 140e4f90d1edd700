package pubsub

// topic is what a node is interested in: a room, a user, or the broadcast. It
// stands for one or two channels of Redis.
type topic struct {
	kind Kind // never KindNotification: that belongs to the user's topic
	name string
}

// broadcast is the topic of every connection.
var broadcast = topic{kind: KindBroadcast}

// topicChannels holds the kinds of channel that make up a topic, by its kind.
var topicChannels = [...][]Kind{
	KindBroadcast: {KindBroadcast},
	KindUser:      {KindUser, KindNotification},
	KindRoom:      {KindRoom},
	KindRoomLog:   {KindRoomLog},
	KindUserLog:   {KindUserLog},
	KindStatus:    {KindStatus},
	KindHere:      {KindHere},
	KindControl:   {KindControl},
}

// topicOf returns the topic that the channel of kind and name belongs to.
func topicOf(kind Kind, name string) topic {
	switch kind {
	case KindBroadcast:
		return broadcast
	case KindNotification:
		kind = KindUser
	}
	return topic{kind, name}
}

// channels returns the kinds of the topic's channels; their name is its own.
func (t topic) channels() []Kind { return topicChannels[t.kind] }

// kinds is a set of kinds, as bits.
type kinds uint16

// allOf returns the set of the topic's channels.
func allOf(t topic) (set kinds) {
	for _, k := range t.channels() {
		set |= only(k)
	}
	return set
}

// only returns the set of k alone.
func only(k Kind) kinds { return 1 << k }

func (s kinds) has(k Kind) bool { return s&only(k) != 0 }
