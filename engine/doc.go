// Package engine owns the sockets: it accepts TCP connections on an nbio epoll
// loop, speaks HTTP until a connection is upgraded, and WebSocket (RFC 6455,
// RFC 7692) from then on. It knows frames, close codes and heartbeats; it knows
// nothing of JSON, tokens, users, rooms or Redis.
//
// # Goroutines
//
// An engine runs two goroutines per poller, one per listener and one for the
// timing wheel, however many connections it holds. There is no goroutine,
// timer or channel per connection.
//
//   - A poller reads its connections and calls Handler.OnMessage inline; the
//     handler must not block, and the payload is only valid during the call.
//   - Conn.Send, Conn.SendText and Conn.Close may be called from any goroutine.
//   - A pump, one per poller, writes what waits for peers that do not keep up; see
//     pump.go.
//   - Handler.OnClose comes once, on nbio's close goroutine, and is the last
//     call a handler gets.
//
// # Who closes a descriptor
//
// nbio closes a descriptor on whichever goroutine notices that it is dead, while
// a poller may still hold an epoll event for that number; a connection accepted
// in between inherits the number and is killed by the old event. Here only the
// poller that owns a connection closes it: every other goroutine writes and
// shuts down under nbio's connection lock, with the closed flag checked, and
// leaves the close to the poller, which is woken by the shutdown. See write.go.
package engine
