// Package message is the envelope that travels on both wires: between browsers
// and the gateway, and between backends and the gateway through Redis.
//
//	{"type":"room_message","id":"7","room":"chat:room001",
//	 "content":{"text":"hi"},"data":{},"timestamp":1697356800}
//
// An envelope is decoded partially. Decode and DecodePayload check that the
// bytes are well-formed JSON, note where each top-level member lies, and copy
// the few strings that routing needs; content is a span of the input and is
// never parsed. AppendForward and AppendDelivery build the outgoing bytes from
// those spans, so that what the gateway does not own arrives byte for byte as
// it was sent. The other Append functions write the server's own frames.
//
// The session calls Decode and the content readers (RoomOf, TargetOf, UsersOf)
// on the poller goroutine of a connection, and DecodePayload on the reader
// goroutine of the bus. Functions keep no state of their own: an
// Envelope belongs to whoever decodes into it, and its spans live as long as
// the input does.
//
// The package never decodes content into Go values and encodes it again, never
// uses reflection, never logs, never blocks and knows nothing of sockets, users
// or Redis. Every string that ends in an error is fit to be shown to a client:
// no error quotes what the client sent.
package message
