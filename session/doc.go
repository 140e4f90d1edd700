// Package session knows who is connected and what each frame of a client means.
// It checks the token at the upgrade, keeps the identity of the connection,
// decodes envelopes, holds clients to their limits, and says why a connection
// is closed. It moves no frames to other connections itself: rooms and delivery
// are package room's, sockets are package engine's, and what goes to other nodes
// goes through a Publisher.
//
// # Where to read
//
// A connection begins in Manager.ServeHTTP (upgrade.go) and becomes a Session
// (session.go). Each frame of its client goes through Session.OnMessage
// (dispatch.go) to the action of its type (roomframes.go, sending.go,
// presenceframes.go), which answers it or returns why not (refusal.go). What
// other nodes and backends publish comes back through Manager.Receive
// (receive.go). The connection ends for one of the reasons in reason.go.
//
// # Goroutines
//
// Manager.ServeHTTP and Session.OnMessage run on pollers and never wait.
// Manager.Receive is called by the reader of the bus and may wait when this node
// is behind with deliveries. Answers to joins come from room's workers, answers
// to published messages from the bus, and none of them waits. A connection's
// frames are handled in order; its conn may be used from all of them.
package session
