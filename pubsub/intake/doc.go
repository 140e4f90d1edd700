// Package intake takes what backends publish durably: entries of a stream.
//
//	XADD PREFIXpublish * channel room:chat:1 message '{"type":...}' id order-42
//
// Redis has such an entry until a node has taken it: appended it to the log of
// its room or user, or, for what has no log, published it. The nodes are one
// consumer group, of which the holder of a lease takes the entries, in their
// order; the next holder takes over what the one before had taken and not done.
//
// Each entry is taken once, also when the holder dies or is stopped between
// taking and saying so: logs and the script that publishes remember the id of
// the last entry (stream.Order), whenever that was. An entry with an id, or
// whose message has one, is besides a duplicate of one before it within the
// dedupe window.
//
// An entry stays in the stream until its log has it, and so many replicas of the
// log as the Appender waits for; with Sentinel the server that has appended it, published
// it or set it aside is the one to delete it. What comes of it is the same whoever takes it, its
// time included, so that a node can put back what another has appended.
//
// Ids of entries grow, also over a failover to a master whose clock is behind: see
// again.go. What cannot be delivered is poison: it is set aside in another stream with the
// reason, counted, and stops nothing.
//
//	PREFIX publish            stream; fields channel, message, id
//	PREFIX publish:dead       stream; the same, with entry (its id) and reason
//	PREFIX publish:{once}:... the last entry that was published, and dedupe keys
//	PREFIX lease:intake       who takes the entries: package lease
//
// [Intake.Run] owns the goroutines and waits for Redis; nothing else does.
package intake
