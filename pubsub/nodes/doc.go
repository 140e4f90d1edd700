// Package nodes knows which nodes live, and lets them talk to one another.
//
// Every node holds a lease in Redis that it renews every few seconds, once for
// all of its connections, and that says how much it carries and how much more it
// could take. From all leases a [Registry] knows the others: who is there, how
// fast clients could be taken over ([Registry.Window]), whom to ask.
//
// All leases are fields of one hash, so that one script call a period renews
// ours and reads the others', and everything is decided by one clock, Redis's:
//
//	PREFIXnodes   epoch         a random text; another one says that Redis has lost its data
//	              reaper        "UNTIL LIFE": who cleans up after the dead
//	              @LIFE         "UNTIL {"id":"..",...}" with UNTIL in Unix milliseconds
//
// # Lives
//
// What a node writes into Redis for others, such as who is online at it, it
// writes under the name of its present life, not its own. A lease that has run
// out is never renewed: its owner begins a new life and writes everything again,
// while somebody cleans up after the old one. So a node that was stopped for a
// minute and its undertaker never fight over the same entries. See
// [Registry.Ended].
//
// # Control channels
//
//	PREFIXcontrol       all nodes listen
//	PREFIXcontrol:ID    one node listens
//
// carry {"op":..,"from":NODE,"ask":N,"args":..}, and answers, which go to the
// asker's own channel: {"from":NODE,"answer":N,"data":..} or with "error". They
// are for people's and services' occasional questions, not for traffic: what has
// no answer after Config.AnswerTimeout is counted as missing.
//
// # Goroutines
//
// Run owns two for work and one for the lease. Receive is called by the reader
// of the bus and never waits. Handlers run on the two workers, or on the caller's
// goroutine for what a node asks itself, and may wait for a moment.
package nodes
