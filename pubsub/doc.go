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
//	sessions ── Publish ─────────────────► outbox ─► publisher ┘
//
// None of the methods that rooms and sessions call waits for the network. Run
// owns the goroutines: a reader and a writer for the subscribed connection,
// one publisher, and one sweeper for channels nobody wants any more. Handler
// and the confirmed callbacks run on the reader, done callbacks on the
// publisher.
//
// The publisher speaks through go-redis. The subscribed connection is dialled
// and authenticated by go-redis and then taken over, so that a user or room
// costs this process 20 to 30 bytes besides its name, and a message
// few allocations; see wire.go.
//
// Delivery is that of Redis Pub/Sub, at most once: what is published while the
// connection is away is lost. The Bus itself drops nothing: a slow Handler
// slows the reader, and Redis keeps what is due in its output buffer for this
// client (client-output-buffer-limit pubsub) or ends the connection, which the
// Bus notices, reports, and repairs.
//
// The package knows nothing of rooms' members, sessions or JSON: payloads are
// bytes.
package pubsub
