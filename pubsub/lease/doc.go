// Package lease has one of several processes do what only one should.
//
// A lease is a key of Redis that names who holds it, until when, and in which
// term: terms grow with each new holder, so that what an old holder said can be
// told from what the new one says. Redis' clock decides, and no other; a holder
// that could not renew its lease in time knows by its own clock, counted from
// before it asked, that it may be over.
//
// A lease does not keep two processes from acting at the same time: one may be
// paused between looking at its lease and acting. What must not happen twice
// needs a second safeguard, such as the places of package stream.
//
//	PREFIX lease:NAME   hash: owner, term, until (ms of Redis' clock), note
//
// NAME may hold a hash tag, so that several leases can be asked for in one
// round trip. The hash outlives the lease by a day, so that a holder can know
// of the one before it.
package lease
