// Package peer is what the Go servers that the gateway is measured against have
// in common: the command line, the check of the token, the subscription to
// Redis, who is in which room, and the line that says where the server listens.
// What is left to each of them is its library's way to hold connections and to
// write to many of them, which is what the harness compares.
package peer
