package nodes

import "time"

// Node is what a node says of itself in its lease.
type Node struct {
	// ID is unique for a process: a node that is started again has another.
	ID string `json:"id"`
	// Name is the configured name, which several may share.
	Name string `json:"name"`
	// Life names what the node keeps in Redis at present.
	Life    string    `json:"life"`
	Version string    `json:"version"`
	Addr    string    `json:"addr"` // where it listens for clients
	Started time.Time `json:"started"`
	Load
	// Spare is how many clients a second it could take besides those that come
	// already.
	Spare int `json:"spare_per_second"`
}

// Load is how busy a node is.
type Load struct {
	Connections    int64 `json:"connections"`
	MaxConnections int64 `json:"max_connections"`
	Users          int64 `json:"users"`
	Rooms          int64 `json:"rooms"`
	// AcceptPerSecond is how many new clients a second the node can take.
	AcceptPerSecond int  `json:"accept_per_second"`
	Draining        bool `json:"draining"`
	// Accepted counts the clients that have come since the start.
	Accepted uint64 `json:"-"`
}

// spare is how many more clients a second a node could take that was given
// arrivals a second of late.
func (l Load) spare(arrivals float64) int {
	free := l.MaxConnections - l.Connections
	if l.Draining || free <= 0 {
		return 0
	}
	return max(0, min(l.AcceptPerSecond-int(arrivals), int(free)))
}
