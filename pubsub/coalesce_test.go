package pubsub

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestLink_LetsMessagesGatherOnlyBehindOthers(t *testing.T) {
	t.Parallel()
	const coalesce = 10 * time.Millisecond
	tests := map[string]struct {
		coalesce  time.Duration
		delivered bool          // the read before brought messages
		bytes     int           // and so many bytes in all
		since     time.Duration // it returned so long ago
		want      time.Duration // how long this one waits
	}{
		"behind a message":                 {coalesce, true, plenty - 1, 0, coalesce},
		"some time behind a message":       {coalesce, true, 1, 7 * time.Millisecond, 3 * time.Millisecond},
		"a lone message":                   {coalesce, true, 1, coalesce, 0},
		"behind the answer to a SUBSCRIBE": {coalesce, false, 1, 0, 0},
		"within a stream of messages":      {coalesce, true, plenty, 0, 0},
		"switched off":                     {0, true, 1, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				redis, ours := net.Pipe()
				defer redis.Close()
				defer ours.Close()
				l := &link{bus: &Bus{cfg: Config{Coalesce: tt.coalesce}}, ctx: context.Background(), conn: ours}
				l.readAt, l.delivered, l.bytes = time.Now(), tt.delivered, tt.bytes
				time.Sleep(tt.since)
				go func() { _, _ = redis.Write([]byte("x")) }() // Read fails if it does
				start := time.Now()
				if n, err := l.Read(make([]byte, 8)); n != 1 || err != nil {
					t.Fatalf("Read() = %d, %v, want 1, nil", n, err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("waited %v, want %v", got, tt.want)
				}
				if want := (gathering{readAt: time.Now(), bytes: 1}); l.gathering != want {
					t.Errorf("the link notes %+v, want %+v", l.gathering, want)
				}
			})
		})
	}
}

// TestGathering_NobodyIsWoken: what arrives while messages gather makes no socket
// readable, whatever it is wrapped in, but the end of the connection does.
func TestGathering_NobodyIsWoken(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"plain":       func(c net.Conn) net.Conn { return c },
		"tied":        func(c net.Conn) net.Conn { return tie(t.Context(), c) },
		"TLS":         func(c net.Conn) net.Conn { return tls.Client(c, nil) },
		"TLS, tied":   func(c net.Conn) net.Conn { return tie(t.Context(), tls.Client(c, nil)) },
		"TLS of tied": func(c net.Conn) net.Conn { return tls.Client(tie(t.Context(), c), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := connectedPair(t)
			g := gatherOn(wrap(ours))
			if g.socket == nil {
				t.Fatal("no socket was found")
			}
			g.announceFrom(readBufferBytes)
			if _, err := theirs.Write([]byte("0123456789")); err != nil {
				t.Fatal(err)
			}
			redistest.Eventually(t, patience, func() error {
				if n, _ := socketState(t, g); n != 10 {
					return fmt.Errorf("%d bytes have arrived, want 10", n)
				}
				return nil
			})
			if _, readable := socketState(t, g); readable {
				t.Error("readable while messages gather")
			}
			g.announceFrom(1)
			if _, readable := socketState(t, g); !readable {
				t.Error("not readable when they may be read")
			}
			g.announceFrom(readBufferBytes)
			_ = theirs.Close()
			redistest.Eventually(t, patience, func() error {
				if _, readable := socketState(t, g); !readable {
					return fmt.Errorf("the end of the connection is kept to the kernel")
				}
				return nil
			})
		})
	}
}

// TestLink_GathersOnItsSocket: nothing that go-redis puts around a connection
// hides its socket.
func TestLink_GathersOnItsSocket(t *testing.T) {
	t.Parallel()
	b := open(t, testConfig(redistest.Start(t).URL()), nil)
	l := b.dialLink(t)
	defer l.close()
	if l.socket == nil {
		t.Errorf("no socket was found in a %T", l.conn)
	}
}

// connectedPair returns the two ends of a TCP connection.
func connectedPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if ours, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if theirs, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}

// socketState returns how many bytes wait in the socket, and whether the kernel
// calls it readable.
func socketState(t *testing.T, g gathering) (bytes int, readable bool) {
	t.Helper()
	var failed error
	err := g.socket.Control(func(fd uintptr) {
		if bytes, failed = unix.IoctlGetInt(int(fd), unix.SIOCINQ); failed != nil {
			return
		}
		ask := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, failed = unix.Poll(ask, 0)
		readable = ask[0].Revents != 0
	})
	if err != nil || failed != nil {
		t.Fatalf("ask the socket: %v, %v", err, failed)
	}
	return bytes, readable
}
