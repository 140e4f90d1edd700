package session

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

// WriteJSON answers with {"code":CODE,"message":"..","data":{..}}; data is what
// fill appends to an open object, or left out.
func WriteJSON(w http.ResponseWriter, status, code int, text string, fill func([]byte) []byte) {
	b := jsonBody(code, text, fill)
	setJSON(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client is gone
}

func setJSON(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
}

// jsonBody is what WriteJSON writes.
func jsonBody(code int, text string, fill func([]byte) []byte) []byte {
	b := append([]byte(`{"code":`), strconv.Itoa(code)...)
	b = message.AppendString(append(b, `,"message":`...), text)
	if fill != nil {
		b = append(fill(append(b, `,"data":{`...)), '}')
	}
	return append(b, '}')
}

func writeError(w http.ResponseWriter, status int, text string) {
	WriteJSON(w, status, status, text, nil)
}

// writeReason refuses a plain request for what would close a connection.
func writeReason(w http.ResponseWriter, why reason, delay time.Duration) {
	switch why {
	case reasonBadToken, reasonExpired, reasonRevoked:
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeError(w, http.StatusUnauthorized, why.name)
	case reasonBadDevice:
		writeError(w, http.StatusBadRequest, why.name)
	default:
		w.Header().Set("Retry-After", strconv.FormatInt(int64((delay+time.Second-1)/time.Second), 10))
		writeError(w, why.status(), why.name)
	}
}

// ServeStats answers /ws/stats with the numbers of this node.
func (m *Manager) ServeStats(started time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s := m.hub.Stats()
		WriteJSON(w, http.StatusOK, 0, "success", func(b []byte) []byte {
			b = strconv.AppendInt(append(b, `"total_clients":`...), s.Members, 10)
			b = strconv.AppendInt(append(b, `,"online_users":`...), s.Users, 10)
			b = strconv.AppendInt(append(b, `,"total_rooms":`...), s.Rooms, 10)
			return strconv.AppendInt(append(b, `,"uptime":`...), int64(time.Since(started)/time.Second), 10)
		})
	}
}

// Users on one page of /ws/online-users: unless the request says how many, and at
// most.
const (
	listedUsers    = 100
	maxListedUsers = 1000
)

// listingRate bounds how often this node lists its users, whoever asks. A list
// is made on a poller, which does nothing else meanwhile, and takes one to three
// milliseconds for every thousand users.
var listingRate = newRate(5, time.Second, 10)

// listings holds this node to listingRate.
type listings struct {
	mu    sync.Mutex
	taken bucket // guarded by mu
}

func (l *listings) allow(now time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken.take(listingRate, now, 1)
}

// ServeOnlineUsers answers /ws/online-users, to holders of a token, with the
// users of all nodes in the order of their ids; ?after=ID&limit=N pages.
func (m *Manager) ServeOnlineUsers(w http.ResponseWriter, r *http.Request) {
	token, _ := auth.FromRequest(r, m.cfg.Cookie)
	if _, err := m.verifier.Verify(token); err != nil {
		writeReason(w, tokenReason(err), 0)
		return
	}
	query := r.URL.Query()
	limit, ok := pageSize(query.Get("limit"))
	if !ok {
		writeError(w, http.StatusBadRequest, "limit must be a number from 1 to "+strconv.Itoa(maxListedUsers))
		return
	}
	if !m.listings.allow(m.now()) {
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusTooManyRequests, "too many lists at once: try again in a second")
		return
	}
	m.listUsers(w, query.Get("after"), limit)
}

// listUsers answers with a page of users. When other nodes have to be asked it
// returns before.
func (m *Manager) listUsers(w http.ResponseWriter, after string, limit int) {
	if !m.nodes.Others() {
		page := listOf(m.hub.OnlineUsers(after, limit), m.hub.Stats().Users)
		WriteJSON(w, http.StatusOK, 0, "success", page)
		return
	}
	answer, err := m.engine.Later(w)
	if err != nil {
		m.log.Debug().Err(err).Msg("list of users not answered later")
		writeError(w, http.StatusInternalServerError, "this did not work")
		return
	}
	header := http.Header{}
	setJSON(header)
	asked := m.nodes.OnlineUsers(after, limit, func(users []room.Presence, total int64) {
		answer(http.StatusOK, header, jsonBody(0, "success", listOf(users, total)))
	})
	if !asked {
		header.Set("Retry-After", "1")
		answer(http.StatusTooManyRequests, header, jsonBody(http.StatusTooManyRequests, errBusy.message, nil))
	}
}

// listOf appends a page of users to an open object.
func listOf(users []room.Presence, total int64) func([]byte) []byte {
	return func(b []byte) []byte {
		b = strconv.AppendInt(append(b, `"total":`...), total, 10)
		return message.AppendUsers(b, presentUsers(users))
	}
}

// pageSize reads ?limit=.
func pageSize(text string) (n int, ok bool) {
	if text == "" {
		return listedUsers, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= maxListedUsers
}
