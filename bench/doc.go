// Package bench measures WebSocket servers from outside: the gateway, and peers
// to compare it with. Nothing that the gateway itself imports lives here.
//
// A Runner starts a server as a process of its own (gateway.go, peer.go), has a
// Crew of worker processes hold its clients (crew.go, package worker, package
// fleet), carries out a Scenario in the steps that Stage offers (stage.go,
// deliver.go), and fills in a Result (result.go), which becomes a table, JSON and
// a page.
//
// How it measures:
//
//   - Messages are published in an open loop and carry the time at which they were
//     due (plan.go, publish.go). Latency counts from then, so a server that stalls
//     is charged for all that waited (no coordinated omission). It ends when the
//     client has read the last byte.
//   - Each message also carries window, stream and sequence number, by which every
//     receiver counts what is lost, duplicated, out of order or not its own.
//   - The server's time comes from its CPU clock, its memory from a walk over its
//     pages, the kernel's from the caches of socket objects (process.go, kernel.go).
//   - A latency is refused when the client's event loop used most of a core, when
//     events waited for it, or when messages left late (totals.go). How much else
//     the machine was busy with is told beside every result.
//
// # The JSON
//
// Document is written to DATE-NAME.json; its fields and those of Result are
// documented at the types, and named as their json tags say. Times are seconds
// or, where the name says so, microseconds; sizes are bytes; durations among the
// parameters are nanoseconds. What a scenario does not measure is left out.
// Schema grows by one when a field changes its meaning.
package bench
