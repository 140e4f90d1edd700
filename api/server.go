package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/message"
)

// callTimeout bounds what one call may wait for Redis and other nodes.
const callTimeout = 10 * time.Second

// Config says who may call and what is too much.
type Config struct {
	// Keys are what X-API-Key may be. With none, and Open false, every call is
	// refused.
	Keys []string
	// Open lets everybody call who reaches the listener, when there are no keys.
	Open bool
	// Prefix may begin the name of a channel, as it does in Redis.
	Prefix string
	// Message bounds what is published.
	Message message.Limits
	// RoomName reports whether a room can have that name.
	RoomName func(name string) bool
}

// Server answers the calls. Make one with New; it is a http.Handler.
type Server struct {
	cfg     Config
	backend Backend
	keys    keyring
	mux     http.Handler
	log     zerolog.Logger
}

// New makes a server of what the backend can do.
func New(cfg Config, backend Backend, log zerolog.Logger) *Server {
	s := &Server{cfg: cfg, backend: backend, keys: newKeyring(cfg.Keys), log: log}
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.method+" "+r.path, s.serve(r))
	}
	mux.HandleFunc("/", s.unknown)
	cross := http.NewCrossOriginProtection() // no page may use a visitor's way to this listener
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, nil, failure(http.StatusForbidden, "calls from other sites' pages are refused"))
	}))
	s.mux = cross.Handler(mux)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serve makes the http.Handler of a route.
func (s *Server) serve(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		data, err := s.call(r, w, req)
		status := write(w, data, err)
		if status >= http.StatusInternalServerError {
			s.log.Warn().Err(err).Str("call", r.name()).Int("status", status).Msg("API call failed")
		} else if r.changes {
			s.log.Info().Str("call", r.name()).Str("remote", req.RemoteAddr).Int("status", status).Msg("API call")
		}
	})
}

func (s *Server) call(r route, w http.ResponseWriter, req *http.Request) (any, error) {
	if err := s.admit(w, req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), callTimeout)
	defer cancel()
	req.Body = http.MaxBytesReader(w, req.Body, r.body(s))
	return r.handle(s, req.WithContext(ctx))
}

// unknown answers what no route is for. Who has no key learns nothing of it.
func (s *Server) unknown(w http.ResponseWriter, req *http.Request) {
	err := s.admit(w, req)
	if err == nil {
		err = failure(http.StatusNotFound, "no such call")
		for _, r := range routes {
			if r.matches(req.URL.EscapedPath()) {
				err = failure(http.StatusMethodNotAllowed, "this path takes "+r.method)
			}
		}
	}
	write(w, nil, err)
}

// Error is an answer that is no success.
type Error struct {
	Status  int    // of HTTP, and the code in the body
	Message string // for the caller
}

func (e *Error) Error() string { return fmt.Sprintf("api: %d %s", e.Status, e.Message) }

func failure(status int, message string) *Error { return &Error{status, message} }

func badRequest(message string) *Error { return failure(http.StatusBadRequest, message) }

// ErrUnavailable is returned by backends when Redis is away or has too much to do.
var ErrUnavailable = errors.New("api: redis is not available: try again")

// statusOf is how an error is told. What is not made for callers stays inside.
func statusOf(err error) *Error {
	var told *Error
	var tooLong *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &tooLong):
		return failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit))
	case errors.Is(err, ErrUnavailable):
		return failure(http.StatusServiceUnavailable, "Redis is not available: try again")
	case errors.Is(err, context.DeadlineExceeded): // a net.Error too
		return failure(http.StatusGatewayTimeout, "this took too long: try again")
	case errors.As(err, &network), errors.Is(err, io.EOF): // what a backend asks, it asks Redis
		return failure(http.StatusServiceUnavailable, "Redis is not available: try again")
	default:
		return failure(http.StatusInternalServerError, "this did not work")
	}
}

// write answers a call and returns the status.
func write(w http.ResponseWriter, data any, err error) int {
	body := struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{Message: "success", Data: data}
	status := http.StatusOK
	if err != nil {
		told := statusOf(err)
		status, body.Code, body.Message, body.Data = told.Status, told.Status, told.Message, nil
	}
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"code":500,"message":"this did not work"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the caller is gone
	return status
}

// decode reads a body of one JSON object into v, strictly. No body at all is an
// empty object.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		_, err = d.Token()
		if err == nil {
			return badRequest("the body has something behind its JSON object")
		}
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &tooLong):
		return err
	default:
		return badRequest("the body is not what this call takes: " + err.Error())
	}
}
