// Package pubsub is the bridge to Redis: it publishes what this node's clients
// and services say, and delivers what Redis has for this node.
//
// The one type to know is [Bus]. The composition root opens it, runs it, and
// closes it; rooms tell it which rooms and users have members here (Subscribe,
// Unsubscribe), sessions hand it messages (Publish), and everything Redis
// delivers comes back through one [Handler].
//
//	rooms    ── Subscribe, Unsubscribe ──► interest ─► writer ─┐
//	Handler  ◄──────────────────────────── reader ◄────────────┤ Redis
//	sessions ── Publish, Append ─────────► outbox ─► publisher ┤
//	rooms    ── ReadLog, OpenInbox ... ──► asks ───► workers ──┘
//
// None of the methods that rooms and sessions call waits for the network. Run
// owns the goroutines: a reader, a writer and a watcher for each subscribed connection,
// one publisher, a few workers for questions, and one sweeper for channels
// nobody wants any more. Handler and the confirmed callbacks run on a reader,
// done callbacks on the publisher or a worker.
//
// Rooms and users that keep history have a log (package stream) and are heard
// on its live channel. In a Cluster these channels are sharded: each is
// published and subscribed at the master of its slot, over a connection of its
// own to each master, and followed where the slot goes (shards.go). All other
// channels go through one master, as every master carries Pub/Sub for all.
//
// The publisher speaks through go-redis. The subscribed connection is dialled
// and authenticated by go-redis and then taken over, so that a user or room
// costs this process 20 to 30 bytes besides its name, and a message
// few allocations; see wire.go. All that a link does is at the server where it is
// subscribed: when another answers in its place, as after a failover from a master
// that hangs, the link ends; see history.go.
//
// Delivery is that of Redis Pub/Sub, at most once: what is published while the
// connection is away is lost, and can be read again where there is a log; the
// Handler is told when a log's channel had been away. The Bus itself drops nothing: a slow Handler
// slows the reader, and Redis keeps what is due in its output buffer for this
// client (client-output-buffer-limit pubsub) or ends the connection, which the
// Bus notices, reports, and repairs.
//
// The package knows nothing of rooms' members, sessions or JSON: payloads are
// bytes.
package pubsub
