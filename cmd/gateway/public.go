package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/session"
	"github.com/ginforge/gateway/web"
)

// publicRoutes are the paths of the public listener. Their handlers run on the
// engine's pollers and must not block.
func (n *node) publicRoutes(mux *http.ServeMux) {
	mux.Handle("/ws", n.sessions)
	mux.HandleFunc("/ws/stats", n.sessions.ServeStats(n.started))
	mux.HandleFunc("/ws/online-users", n.sessions.ServeOnlineUsers)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		session.WriteJSON(w, http.StatusOK, 0, "alive", nil)
	})
	mux.HandleFunc("/readyz", n.serveReady)
	if n.cfg.Engine.Echo {
		n.log.Warn().Msg("engine.echo is on: /echo takes connections without a token")
		mux.Handle("/echo", n.engine.EchoHandler(engine.Limits{
			MessageBytes:     n.cfg.Limits.MessageBytes,
			WriteBufferBytes: n.cfg.Limits.WriteBufferBytes,
		}))
	}
	if n.cfg.Development {
		mux.Handle("/", web.Demo())
		mux.HandleFunc("/dev/token", n.serveToken)
	}
}

// serveReady answers whether a load balancer should send clients here, and says
// how Redis is: a node without Redis keeps its clients, and goes on taking them,
// since the other nodes are no better off.
func (n *node) serveReady(w http.ResponseWriter, _ *http.Request) {
	status, text := n.readiness()
	redis := n.bus.State()
	session.WriteJSON(w, status, codeOf(status), text, func(b []byte) []byte {
		b = strconv.AppendBool(append(b, `"redis":{"connected":`...), redis.Connected)
		b = strconv.AppendQuote(append(b, `,"since":`...), redis.Since.UTC().Format(time.RFC3339))
		b = strconv.AppendInt(append(b, `,"subscriptions":`...), int64(redis.Subscriptions), 10)
		return append(b, '}')
	})
}

func (n *node) readiness() (status int, text string) {
	switch {
	case n.leaving.begun.Load():
		return http.StatusServiceUnavailable, "draining"
	case !n.ready.Load() || n.bus.Stats().Connects == 0 || !n.durable.ready():
		return http.StatusServiceUnavailable, "starting"
	case n.engine.OverCapacity():
		return http.StatusServiceUnavailable, "over capacity"
	default:
		return http.StatusOK, "ready"
	}
}

// codeOf is the code of a JSON answer: 0 for success, else the status.
func codeOf(status int) int {
	if status == http.StatusOK {
		return 0
	}
	return status
}

// serveToken hands a token to whoever asks; in development mode only.
func (n *node) serveToken(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	name := r.URL.Query().Get("name")
	token, err := n.developmentToken(user, name)
	if err != nil {
		session.WriteJSON(w, http.StatusBadRequest, http.StatusBadRequest, err.Error(), nil)
		return
	}
	session.WriteJSON(w, http.StatusOK, 0, "success", func(b []byte) []byte {
		return strconv.AppendQuote(append(b, `"token":`...), token)
	})
}
