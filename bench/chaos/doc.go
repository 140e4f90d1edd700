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
// A message by PUBLISH is Redis's to lose until a gateway has read it. While a
// fault hits Redis itself or all gateways' connections to it, such messages are
// counted apart when nobody received them ("at risk").
//
// A watcher's view of a user is wrong when it differs from the truth for longer
// than a node's lease, the grace and two seconds together.
//
// The schedule follows from the seed alone; what the processes make of it does
// not. Faults do not overlap: each is over, and all nodes are ready again and
// connected to Redis, before the next begins, or after half a minute.
package chaos
