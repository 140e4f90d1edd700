// Package player is the clients of a chaos run: thousands of them on one event
// loop, each doing what a careful browser client does, and each telling the
// ledger of everything that it gets.
//
// A client has one connection, or two while it moves (a `reconnect` frame asks for
// the new one before the old one is ended). It comes back as the close code and
// the delay say, joins its rooms with the position at which it was, acknowledges
// its inbox, pings when it has heard nothing, gives a connection up that does not
// answer, and sends a message that was not answered again with the same id. Its
// clock is its own and may jump. Now and then it leaves for a while, as people do.
//
// Everything belongs to the goroutine of Crowd.Run, which is the fleet's loop;
// the methods of Crowd that may be called from others say so. Nothing here shares
// code with the gateway.
package player
