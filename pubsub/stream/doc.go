// Package stream keeps logs in Redis: the last messages of a room or of a
// user's inbox, numbered without gaps, so that who was away gets what it
// missed.
//
// A message is given its offset, kept, and published to those who listen now
// by one script, so that the three cannot come apart. What identifies a
// message is its [Position]: the log's epoch, and an offset that grows by one.
// The epoch is drawn anew when history was lost, so that no offset ever means
// two messages.
//
// [Store] is the only type with behaviour. It runs its scripts on a client of
// go-redis that the caller gives it; each method is one or two round trips and
// waits for them, so callers are workers, never pollers. It holds no state and
// may be used from any goroutine.
//
// All keys of a log, and its live channel, share a hash tag and so a slot of
// Redis Cluster. KIND is "room" or "user"; PREFIX is "websocket:" unless
// configured:
//
//	PREFIX log:{KIND:NAME}:entries   stream; ids are OFFSET-0; fields m, d, t: see lua/common.lua
//	PREFIX log:{KIND:NAME}:meta      hash; epoch and last offset; outlives the entries
//	PREFIX log:{KIND:NAME}:seen:ID   a message that was taken under this dedupe key
//	PREFIX log:{user:NAME}:devices   hash; device to the position it has acknowledged
//	PREFIX log:{KIND:NAME}           channel; what is published there is in live.go
//
// The package never retries what may have been done already: an append whose
// answer is lost is the caller's to repeat, with a dedupe key.
package stream
