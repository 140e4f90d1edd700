package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The clients of the churn tests run in a process of their own, this test binary
// with churnEnv set, so that descriptor numbers of clients and server do not mix:
// a server's number is then used again by the next connection that it accepts.
const churnEnv = "GATEWAY_ENGINE_CHURN"

// churnPlan is what the client process is told.
type churnPlan struct {
	Addr    string
	Count   int // connections in all
	Workers int // connections at a time
	Frames  bool
}

// churnResult is what it reports.
type churnResult struct {
	Opened   int64
	Ended    int64 // ended without the client's doing
	Wrong    int64 // frames that were not for this client, or no frames
	Unclean  int64 // closing handshakes that did not end in a close frame and EOF
	Frames   int64
	Examples []string // of what was wrong

	mu sync.Mutex // guards Examples
}

func (r *churnResult) note(counter *int64, format string, args ...any) {
	atomic.AddInt64(counter, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Examples) < 20 {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// churnClient is main of the client process.
func churnClient(plan string) int {
	var p churnPlan
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var res churnResult
	var next atomic.Int64
	var wg sync.WaitGroup
	for range p.Workers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(p.Count); n = next.Add(1) {
				churnOnce(p, &res, int(n))
			}
		})
	}
	wg.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(&res); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// churner is one connection of the client process.
type churner struct {
	conn  *net.TCPConn
	id    string // names the addressee in every frame
	res   *churnResult
	buf   []byte // read and not yet understood
	chunk []byte
}

// Ways to end a connection.
const (
	byFIN = iota
	byRST
	byCloseFrame
	byClosing // whatever close(2) makes of it
	numWays
)

// churnOnce opens a connection, watches it for some milliseconds and ends it.
func churnOnce(p churnPlan, res *churnResult, n int) {
	deaf := p.Frames && n%16 == 7 // does not read what it is sent
	c := &churner{res: res, id: fmt.Sprintf("client-%d", n), chunk: make([]byte, 16<<10)}
	if deaf {
		c.id = "deaf-" + c.id
	}
	conn, err := churnDial(p.Addr, n)
	if err != nil {
		res.note(&res.Ended, "%s: dial: %v", c.id, err)
		return
	}
	defer conn.Close()
	c.conn = conn
	if !c.upgrade() {
		return
	}
	atomic.AddInt64(&res.Opened, 1)
	hold := time.Duration(1+n*7%20) * time.Millisecond
	if deaf {
		<-time.After(5 * hold)
		_ = conn.SetLinger(0)
		return
	}
	if err := c.readUntil(time.Now().Add(hold)); !errors.Is(err, os.ErrDeadlineExceeded) {
		res.note(&res.Ended, "%s: ended after less than %s: %v", c.id, hold, err)
		return
	}
	c.end(n / 3 % numWays)
}

// churnDial connects from one of many loopback addresses, so that their ports in
// TIME_WAIT are no obstacle.
func churnDial(addr string, n int) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: 20 * time.Second}
	for try := 0; ; try++ {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, byte(n/200%200), byte(1+(n+try)%200))}
		conn, err := d.Dial("tcp", addr)
		if errors.Is(err, syscall.EADDRNOTAVAIL) && try < 50 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), nil
	}
}

// upgrade makes the opening handshake.
func (c *churner) upgrade() bool {
	_ = c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c.conn, handshake("/churn?id="+c.id)); err != nil {
		c.res.note(&c.res.Ended, "%s: sending the handshake: %v", c.id, err)
		return false
	}
	for !bytes.Contains(c.buf, []byte("\r\n\r\n")) {
		n, err := c.conn.Read(c.chunk)
		c.buf = append(c.buf, c.chunk[:n]...)
		if err != nil {
			c.res.note(&c.res.Ended, "%s: in the handshake, after %q: %v", c.id, c.buf, err)
			return false
		}
	}
	response, rest, _ := bytes.Cut(c.buf, []byte("\r\n\r\n"))
	if !strings.HasPrefix(string(response), "HTTP/1.1 101 ") || !strings.Contains(string(response), sampleAccept) {
		c.res.note(&c.res.Wrong, "%s: handshake answered with %q", c.id, response)
		return false
	}
	c.buf = rest
	return true
}

// errCloseFrame ends reading at a close frame.
var errCloseFrame = errors.New("close frame")

// readUntil reads frames and checks whom they are for, until the deadline or
// another error.
func (c *churner) readUntil(deadline time.Time) error {
	_ = c.conn.SetReadDeadline(deadline)
	for {
		if err := c.understand(); err != nil {
			return err
		}
		n, err := c.conn.Read(c.chunk)
		c.buf = append(c.buf, c.chunk[:n]...)
		if err != nil {
			return errors.Join(c.understand(), err)
		}
	}
}

// understand checks the complete frames in buf.
func (c *churner) understand() error {
	for len(c.buf) >= 2 {
		head, n := 2, int(c.buf[1])
		if n == 126 {
			if len(c.buf) < 4 {
				return nil
			}
			head, n = 4, int(binary.BigEndian.Uint16(c.buf[2:]))
		}
		if len(c.buf) < head+n {
			return nil
		}
		payload := c.buf[head : head+n]
		switch b0 := c.buf[0]; {
		case b0 == 0x89 && n == 0: // the heartbeat
		case b0 == 0x88:
			return errCloseFrame
		case b0 != 0x82 || !bytes.HasPrefix(payload, []byte(c.id+" ")):
			c.res.note(&c.res.Wrong, "%s: got frame %#x %.60q", c.id, b0, payload)
			return io.ErrUnexpectedEOF
		}
		atomic.AddInt64(&c.res.Frames, 1)
		c.buf = c.buf[head+n:]
	}
	return nil
}

// end ends the connection in one of the ways; frames that still come are checked.
func (c *churner) end(way int) {
	long := time.Now().Add(20 * time.Second)
	switch way {
	case byFIN:
		_ = c.conn.CloseWrite()
		_ = c.readUntil(long)
	case byRST:
		_ = c.conn.SetLinger(0)
	case byCloseFrame:
		_, _ = c.conn.Write(masked(0x88, closePayload(1000, "")))
		if err := c.readUntil(long); !errors.Is(err, errCloseFrame) {
			c.res.note(&c.res.Unclean, "%s: after its close frame: %v", c.id, err)
			return
		}
		if n, err := c.conn.Read(c.chunk); !errors.Is(err, io.EOF) {
			c.res.note(&c.res.Unclean, "%s: after both close frames: %d bytes, %v", c.id, n, err)
		}
	}
}
