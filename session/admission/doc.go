// Package admission decides who gets in: how many handshakes a second and at a
// time this node begins, how many connections and attempts an address may have,
// how often a user may connect, and how much all of a user's devices may send.
//
// A Gate is asked by package session, on the pollers, before it looks at a token:
// a refusal costs a few hundred nanoseconds and no memory. It never blocks, does
// no I/O, and writes no log. Everything it knows is of this node alone.
//
// Who is refused is told when to come again. That time is not drawn at random: the
// refused stand in a queue that the node serves at a part of its budget (see
// queue), and each is told its own place in it. A thousand clients that come at
// once come back one behind the other, at a rate that the node can take.
//
// What is kept for addresses and users is in two bounded tables (see table), whose
// entries go away by themselves; an open connection costs its session four bytes,
// a Ticket. Public libraries were looked at: golang.org/x/time/rate is used for
// the one budget of the node, but a map of its limiters is 80 bytes and a pointer
// for each address, and is neither bounded nor swept; caches that are bounded
// throw away what was not used lately, which would forget the count of open
// connections of a quiet address.
package admission
