package engine

import (
	"errors"
	"net/http"
)

// echoBytes is the least message size of the echo endpoint: the largest message
// of the Autobahn suite has 16 MiB.
const echoBytes = 32 << 20

// EchoHandler returns an HTTP handler that upgrades every request, without a
// token, and sends back each message as it came. It is there for conformance
// suites and for measuring; limits are raised so that their large messages fit.
func (e *Engine) EchoHandler(limits Limits) http.Handler {
	limits.MessageBytes = max(limits.MessageBytes, echoBytes)
	limits.WriteBufferBytes = max(limits.WriteBufferBytes, 4*echoBytes)
	ep := e.NewEndpoint(limits)
	ep.sparePings = true // to a conformance suite, a ping it did not expect is a wrong answer
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &echoConn{}
		err := e.Upgrade(w, r, ep, "", &c.Conn, c)
		if herr := (*HandshakeError)(nil); errors.As(err, &herr) {
			herr.SetHeader(w.Header())
			http.Error(w, herr.Message, herr.Status)
		}
	})
}

// echoConn is a connection of the echo endpoint.
type echoConn struct{ Conn }

func (c *echoConn) OnMessage(op Opcode, payload []byte) {
	_ = c.Send(NewFrame(op, payload)) // the peer is gone, or OnSlow has closed it
}

func (c *echoConn) OnSlow()           { c.Close(CloseReason{Code: ClosePolicy, Text: "reads too slowly"}) }
func (c *echoConn) OnCaughtUp()       {}
func (c *echoConn) OnDeadline()       {}
func (c *echoConn) OnClose(CloseCode) {}
