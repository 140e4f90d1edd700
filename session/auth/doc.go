// Package auth says who opens a connection: it finds the token in a request,
// checks it, and turns its claims into an Identity.
//
//	{"user_id":"u1","username":"Ann","exp":1697360400,
//	 "rooms":["chat:lobby"],"caps":{"join":["chat:*"],"publish":["chat:lobby"]}}
//
// The session calls FromRequest and Verify once for each connection, on the
// poller goroutine that reads the handshake, and Verify again when a client
// renews its token. Neither blocks: keys are read once, by NewVerifier. A
// Verifier never changes and may be used from any goroutine. `gateway token`
// calls Sign.
//
// Nothing in a token is believed before its signature has been checked, with
// the one key that belongs to the algorithm's family: a secret for HS*, a
// public key for the others. A claim that cannot be used refuses the token; it
// is never ignored in the holder's favour.
//
// The package never logs, and no error that it returns repeats any part of a
// token or a secret.
package auth
