package engine

import (
	"net/http"

	"github.com/lesismal/nbio/nbhttp"
)

// guard keeps a handler that panics from leaving its client without an answer:
// nbhttp would log the panic and wait for the next request.
func (e *Engine) guard(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer e.recoverHTTP(w)
		handler.ServeHTTP(w, r)
	})
}

// recoverHTTP ends the one request whose handler panicked: with 500 or, when it
// had been upgraded, with a close frame. Deferred, on the poller.
func (e *Engine) recoverHTTP(w http.ResponseWriter) {
	r := recover()
	if r == nil {
		return
	}
	e.logPanic(r)
	if c := upgradedConn(w); c != nil {
		c.finish(e.closing(CloseInternal, "internal error"))
		return
	}
	http.Error(w, "internal error", http.StatusInternalServerError)
}

// upgradedConn returns the connection that the request has become, nil if none.
func upgradedConn(w http.ResponseWriter) *Conn {
	var hc *httpConn
	switch w := w.(type) {
	case *openingResponse:
		hc = w.conn
	case *nbhttp.Response:
		if w.Parser != nil {
			hc, _ = w.Parser.Conn.(*httpConn)
		}
	}
	if hc == nil {
		return nil
	}
	t, _ := hc.Session().(*takeover)
	return (*Conn)(t)
}
