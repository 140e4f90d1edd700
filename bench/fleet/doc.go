// Package fleet is the client side of the load harness: very many WebSocket
// connections in one process, driven by one epoll loop, at a few hundred bytes
// each.
//
// A Fleet is made, told to Open connections, and run with Run, which owns
// everything and calls the Handler inline. It speaks just enough WebSocket to
// measure a server: it answers pings and close frames, takes unfragmented
// messages, and counts everything else as an error. It shares no code with the
// gateway, so that a mistake in framing does not cancel out.
package fleet
