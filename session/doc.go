// Package session knows who is connected and what each frame of a client means.
// It checks the token at the upgrade, keeps the identity of the connection,
// decodes envelopes, holds clients to their limits, and says why a connection
// is closed. It moves no frames to other connections itself: rooms and delivery
// are package room's, sockets are package engine's, and what goes to other nodes
// goes through a Publisher.
//
// # Goroutines
//
// Manager.ServeHTTP and Session.OnMessage run on pollers and never wait.
// Manager.Receive is called by the reader of the bus and may wait when this node
// is behind with deliveries. Answers to joins come from room's workers, answers
// to published messages from the bus. A connection's frames are handled in
// order; Conn.SendText may be called from all of them.
package session
