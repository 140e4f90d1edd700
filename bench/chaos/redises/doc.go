// Package redises runs the Redis of a chaos run: one server, a master with two
// replicas under three Sentinels, or a Cluster of three masters with a replica
// each. All are real redis-servers on free ports of the loopback, with an AOF that
// is synced before anything is answered, so that a server that is killed comes
// back with all that it has acknowledged.
//
// In front of each server stands a proxy whose address the server announces, so
// that gateways, publishers and Sentinels reach it through the proxy only, and what
// they say to each other can be cut or stalled. Servers of a Cluster gossip
// directly.
//
// The processes die with this one. A Set may be used from any goroutine.
package redises
