//go:build race

package session

// raceEnabled says that the race detector is on, which makes pools forget.
const raceEnabled = true
