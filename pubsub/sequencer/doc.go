// Package sequencer makes plain PUBLISH durable: a message that a backend
// publishes on the channel of a room or user with a log is put into that log
// once, although several nodes hear it.
//
// The channels are spread over partitions. In each, a lease names the node that
// leads, which appends what it hears, and another the standby, which keeps what
// it hears until the leader says that it is in the logs. [Machine] is the
// protocol, without I/O; DESIGN.md tells why it is right.
package sequencer
