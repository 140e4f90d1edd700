// Package chaos shows that nothing is lost: gateways, Redis and thousands of
// clients as real processes and connections, publishers of every kind, faults on a
// seeded schedule, and books in which every message is accounted for.
//
//	publishers ─► proxies ─► Redis (package redises)
//	                            ▲
//	                         proxies
//	                            ▲
//	clients (package player) ─► load balancer ─► gateways
//	     └──────► ledger ◄────── publishers
//
// What is due to whom, and what is lost, duplicated or out of order, is defined in
// package ledger. What counts as published:
//
//   - the Go client and XADD: when the answer says that the entry was taken and,
//     with replicas, that one of them has it (WAIT). What was not answered is sent
//     again with the same id until it is.
//   - PUBLISH: when Redis has answered with at least one receiver (in a Cluster, at
//     all, since there the number says nothing of other servers). One publisher
//     gives ids and sends again what was not answered; the other does neither.
//   - room_message and user_message of clients: when the gateway has sent the ack.
//     What was not answered is sent again with the same id.
//
// A message by PUBLISH is Redis's to lose until a gateway has read it. Those that nobody
// received are counted apart in two cases, and as lost in all others: when the server
// that answers was killed or demoted and the gateways were not yet connected to the next,
// and when all of them were cut off. Which part of the time that was is told. A server
// that hangs is no excuse.
//
// Clients are back after a fault when they are in all their rooms and have received
// something since it struck, a pong if nothing else.
//
// Presence is compared with the truth for watchers of users and for members of rooms
// with presence (ledger.Presence): news is due within the grace and two seconds, later
// only for those whom a fault concerns: after a loss of Redis, that somebody has gone
// is due six seconds later. How much of the time was judged is told.
// Limits on devices are not in a run.
//
// A client's clock that jumps (clock-jump) is that client's only. What the gateways
// see of it: `timestamp` in its frames is wrong, and must not reach anybody; its pings
// and attempts to connect come early or late; and after a jump forwards it brings a
// new token, dated by the clock of who issues them. The gateways' own clock and Redis's
// are the machine's, and do not jump.
//
// The schedule follows from the seed alone; what the processes make of it does
// not. Faults do not overlap: each is over, and all nodes are ready again and
// connected to Redis, before the next begins, or after half a minute.
package chaos
