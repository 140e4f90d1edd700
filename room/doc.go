// Package room knows who is in which room on this node, and delivers to them.
// It holds no JSON, no tokens and no Redis: it moves immutable frames to
// connections, and asks whoever implements Subscriber for the channels of the
// rooms that have members here.
//
// A user is the room of its devices, and the people who watch a user are a room
// too, each in a key space of its own (see Key): one index, one delivery path.
//
// # Shards
//
// Members are spread over shards by a hash of their user, so that all devices of
// a user are together. A shard owns its members and its part of every room, in
// dense slices; one worker goroutine drains its inbox in batches, and all
// changes and all deliveries for those members happen on it. So delivery takes
// no lock, a big room uses all cores, and messages that arrive while a worker is
// busy leave together in one write per connection.
//
// # Logs
//
// What a room or a user with a log is sent has offsets, and is kept in a store
// (see History). A log turns what the bus pushes and what the store has into one
// sequence: members hear every message once, in order, and who joins with a
// position is replayed what it has missed, up to where its live messages begin.
//
// # Goroutines
//
// Hub.Run owns the workers and one ticker. Every other method of Hub may be
// called from any goroutine; only Deliver, DeliverLog and Broadcast may wait, when a shard is
// far behind, and so must not be called by a poller or from a callback. Callbacks
// given to Attach, Join, Leave and InOrder run once, on the worker of the member's
// shard, and must not block; they may call the other methods. What is asked for
// after Run has ended, or still waits for the bus then, is not answered.
package room
