package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/ginforge/gateway/pubsub/notification"
)

// maxBodyBytes bounds a request. What a gateway delivers is smaller still.
const maxBodyBytes = 128 << 10

// dataUpdate is the body of POST /data-update.
type dataUpdate struct {
	Entity string          `json:"entity"`
	Action string          `json:"action"`
	ID     string          `json:"id"`
	Data   json.RawMessage `json:"data"`
}

// newHandler routes each path to one method of c. The bodies are the client's
// own request types.
func newHandler(c *notification.Client, log zerolog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /notify/user", endpoint(log, c.SendUserNotification))
	mux.Handle("POST /notify/system", endpoint(log, c.SendSystemNotification))
	mux.Handle("POST /message/room", endpoint(log, c.SendToRoom))
	mux.Handle("POST /data-update", endpoint(log, func(ctx context.Context, r *dataUpdate) error {
		if r.Data == nil {
			return c.BroadcastDataUpdate(ctx, r.Entity, r.Action, r.ID, nil)
		}
		return c.BroadcastDataUpdate(ctx, r.Entity, r.Action, r.ID, r.Data)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusNotFound, r.Method+" "+r.URL.Path+" is no endpoint; they are POST /notify/user, "+
			"/notify/system, /message/room and /data-update")
	})
	return mux
}

// endpoint decodes a body into a T, sends it, and says how that went.
func endpoint[T any](log zerolog.Logger, send func(context.Context, *T) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body T
		if status, err := decode(w, r, &body); err != nil {
			reply(w, status, err.Error())
			return
		}
		err := send(r.Context(), &body)
		var field *notification.FieldError
		switch {
		case err == nil:
			reply(w, http.StatusOK, "success")
		case errors.As(err, &field):
			reply(w, http.StatusBadRequest, field.Field+": "+field.Problem)
		case errors.Is(err, notification.ErrTooLarge):
			reply(w, http.StatusRequestEntityTooLarge, err.Error())
		default:
			log.Error().Err(err).Str("path", r.URL.Path).Msg("could not publish")
			reply(w, http.StatusServiceUnavailable, "Redis does not take the message; try again later")
		}
	})
}

// decode reads one JSON object into v, strictly. It returns the status to refuse
// with.
func decode(w http.ResponseWriter, r *http.Request, v any) (status int, err error) {
	// A page of another site can make a browser send text, but not JSON.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("Content-Type must be application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	d.DisallowUnknownFields()
	d.UseNumber() // content passes through without losing digits
	err = d.Decode(v)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return 0, nil
		}
		err = errors.New("more follows the object")
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", tooLarge.Limit)
	}
	return http.StatusBadRequest, fmt.Errorf("the body is not the JSON object expected: %w", err)
}

// reply answers as the gateway's own HTTP endpoints do:
// {"code":0,"message":"success"}, with the status as the code of an error.
func reply(w http.ResponseWriter, status int, message string) {
	code := status
	if status == http.StatusOK {
		code = 0
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that has gone needs no answer.
	_ = json.NewEncoder(w).Encode(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, message})
}
