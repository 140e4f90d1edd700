package engine

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A request can be answered when its handler has returned, with more than the
// socket takes at once.
func TestLater_AnswersFromAnotherGoroutine(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "small": 10, "big": 8 << 20} {
		t.Run(name, func(t *testing.T) {
			body := []byte(strings.Repeat("x", size))
			e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
				mux.HandleFunc("/later", func(w http.ResponseWriter, _ *http.Request) {
					answer, err := e.Later(w)
					if err != nil {
						t.Errorf("Later: %v", err)
						return
					}
					go answer(http.StatusTeapot, http.Header{"X-Test": {"yes"}}, body)
				})
			})
			for range 3 {
				resp, err := http.Get("http://" + e.Addr().String() + "/later")
				if err != nil {
					t.Fatalf("GET: %v", err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Test") != "yes" || string(got) != string(body) {
					t.Errorf("got %d with %d bytes, %v; want 418 with %d", resp.StatusCode, len(got), err, size)
				}
			}
			eventuallyClosed(t, e)
		})
	}
}

// A client that does not wait leaves nothing behind.
func TestLater_ClientGoneBefore(t *testing.T) {
	waiting := make(chan func(int, http.Header, []byte))
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		mux.HandleFunc("/later", func(w http.ResponseWriter, _ *http.Request) {
			answer, err := e.Later(w)
			if err != nil {
				t.Errorf("Later: %v", err)
			}
			waiting <- answer
		})
	})
	conn := dialTCP(t, e).conn
	if _, err := io.WriteString(conn, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := <-waiting
	_ = conn.Close()
	eventuallyClosed(t, e)
	answer(http.StatusOK, nil, []byte("too late"))
	if n := e.Stats().WebSockets; n != 0 {
		t.Errorf("%d WebSockets are counted, want none", n)
	}
}

// eventuallyClosed waits until no connection is left.
func eventuallyClosed(t *testing.T, e *Engine) {
	t.Helper()
	eventually(t, func() error {
		if s := e.Stats(); s.Open != 0 || s.WebSockets != 0 {
			return fmt.Errorf("%d connections are open, %d WebSockets; want none", s.Open, s.WebSockets)
		}
		return nil
	})
}
