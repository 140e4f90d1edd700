package engine

import (
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// TestEngine_SurvivesPanics: whoever runs into one is told, and others are not
// concerned.
func TestEngine_SurvivesPanics(t *testing.T) {
	e := startEngine(t, nil, func(e *Engine, mux *http.ServeMux) {
		ep := e.NewEndpoint(testLimits)
		mux.HandleFunc("/before", func(http.ResponseWriter, *http.Request) { panic("before the upgrade") })
		mux.HandleFunc("/behind", func(w http.ResponseWriter, r *http.Request) {
			c := newRecorder()
			if err := e.Upgrade(w, r, ep, "", &c.Conn, c); err != nil {
				t.Errorf("Upgrade: %v", err)
			}
			panic("behind the upgrade")
		})
	})
	resp, err := http.Get("http://" + e.Addr().String() + "/before")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("the answer is %s, want 500", resp.Status)
	}

	c, _, err := websocket.Dial(t.Context(), "ws://"+e.Addr().String()+"/behind", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	if _, _, err = c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusInternalError {
		t.Errorf("Read = %v, want close code 1011", err)
	}
}
