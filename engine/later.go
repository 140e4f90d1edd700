package engine

import (
	"net/http"
	"strconv"
	"time"
)

// maxLater is how long a request that is answered later may take until it is cut.
const maxLater = 10 * time.Second

// Later takes the connection of a plain request over, so that it can be answered
// after its handler has returned: pollers do not wait. answer may be called from
// any goroutine, once; the connection ends with it. It is called in the HTTP
// handler, which then writes nothing itself.
func (e *Engine) Later(w http.ResponseWriter) (answer func(status int, header http.Header, body []byte), err error) {
	c, err := e.plainConn(w)
	if err != nil {
		return nil, err
	}
	return c.answer, nil
}

// plainConn takes the connection of a request over for a single answer. The wheel cuts
// it when that, or the peer's end of the stream, takes too long.
func (e *Engine) plainConn(w http.ResponseWriter) (*Conn, error) {
	c := &Conn{ep: e.NewEndpoint(Limits{}), handler: refused{}}
	c.flags.Store(flagPlain | flagCloseSent | flagDiscard) // no pings, and nothing is read any more
	if err := hijack(w, c); err != nil {
		return nil, err
	}
	e.wheel.add(c)
	e.wheel.after(maxLater, dueEntry{conn: c, closing: true})
	return c, nil
}

// answer sends an HTTP response and ends our half of the stream behind it; the
// wheel cuts the connection when the peer does not end its half.
func (c *Conn) answer(status int, header http.Header, body []byte) {
	b := make([]byte, 0, 256+len(body))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), http.StatusText(status)...), "\r\nConnection: close\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(body)), 10), "\r\n"...)
	for name, values := range header {
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	b = append(append(b, "\r\n"...), body...)
	c.wmu.Lock()
	_ = c.writeLocked(b) // an error means that the peer is gone
	c.wmu.Unlock()
	if c.pending.Load() == 0 {
		c.shutdown(false) // else onWritten does it
	}
}
