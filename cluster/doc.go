// Package cluster answers what only all nodes together know: which nodes there
// are, who is in a room, which devices a user has, who is online. And it carries
// out what may concern any of them: to disconnect a user, to drain a node.
//
// It is asked by sessions, which have the [Local] node answer when there is no
// other, and by the internal HTTP API. It holds nothing itself: package
// pubsub/nodes reaches the other nodes, pubsub/presence keeps who is online.
//
// Methods with a context wait for Redis and for other nodes, half a second at
// most for those, and are for goroutines that may wait. Where nodes did not
// answer in time the answer says which, and holds what the others know.
package cluster
